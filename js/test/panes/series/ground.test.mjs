import assert from "node:assert/strict";
import { before, test } from "node:test";
import { FakeModel, load, random } from "../../load.mjs";

/** @type {typeof import("../../../src/panes/series/ground.js").columnsOf} */
let columnsOf;
/** @type {typeof import("../../../src/data/lines.js").Lines} */
let Lines;
/** @type {typeof import("../../../src/data/series_relevance.js").SeriesRelevance} */
let SeriesRelevance;
/** @type {typeof import("../../../src/data/series_relevance.js").relevanceHere} */
let relevanceHere;

before(async () => {
  Object.assign(globalThis, { document: { createElement: () => ({}) } });
  ({ columnsOf } = await load("panes/series/ground.js"));
  ({ Lines } = await load("data/lines.js"));
  ({ SeriesRelevance, relevanceHere } = await load("data/series_relevance.js"));
});

const bytesOf = (/** @type {ArrayBufferView[]} */ ...parts) =>
  new Uint8Array(Buffer.concat(parts.map((part) => Buffer.from(part.buffer))));

/**
 * A series of so many timesteps, and relevance of two channels at some of them by one method.
 * @param {number} count
 * @param {{values: Float32Array[], starts: number[], explained: number[], examples?: number[], axis?: object, whole?: boolean, places?: Float64Array}} of
 *   float32 (channel, timestep) of each explanation
 */
function lines(count, { values, starts, explained, examples, axis, whole = true, places }) {
  const largest = values.map((row) =>
    row.reduce((most, one) => Math.max(most, Number.isNaN(one) ? 0 : Math.abs(one)), 0),
  );
  const model = new FakeModel({
    _beside: { channels: [], outputs: [], tracks: {}, labels: null },
    _axes: { "": { kind: "timestep", count, counted: [0, 1], ...axis } },
    _axis_values: places ? bytesOf(Float64Array.of(0), places) : new Uint8Array(0),
    _series: { keys: [], examples: [0, 1] },
    _series_values: new Uint8Array(0),
    _summary: {},
    _whole: new Uint8Array(0),
    _relevance: {
      methods: [{ name: "lrp", signed: true, unit: "mm", largest: [1, 2] }],
      ...{ channels: 2, timesteps: values[0].length / 2, count: starts.length, whole },
      explained: "the forecast",
    },
    _relevance_rows: bytesOf(
      Int32Array.from([...(examples ?? starts.map(() => 0)), ...starts, ...explained]),
      Float32Array.from([...largest, ...largest.map((one) => 2 * one)]),
      new Uint8Array(starts.length),
    ),
    _relevance_values: whole ? bytesOf(...values) : new Uint8Array(0),
  });
  const relevance = new SeriesRelevance(model);
  return { model, relevance, lines: new Lines(model, [], () => {}, relevance) };
}

/**
 * The relevance of a channel in each pixel, with all of the series in so many.
 * @param {ReturnType<typeof lines>} of
 * @param {number} width
 * @param {number | undefined} channel
 */
function columns(of, width, channel, view = {}) {
  const { relevance, lines: all } = of;
  const axis = all.axis("", 0);
  return columnsOf(
    all,
    axis,
    {
      ...{ key: relevance.key({ method: 0, channel }), row: 0 },
      ...{ first: relevance.starts[0], count: relevance.told.timesteps },
    },
    { start: -0.5, scale: width / axis.count, width, ...view },
  );
}

test("of timesteps that share a pixel the one of largest magnitude counts, with its sign", () => {
  const { next } = random(5);
  for (const [count, width] of [
    [120, 120],
    [4096, 64],
    [100_000, 250],
    [65_536, 1024],
  ]) {
    const row = Float32Array.from({ length: 2 * count }, () => next() - 0.5);
    const [spike, dip] = [0.71, 0.23].map((share) => Math.floor(share * count));
    row[spike] = 9;
    row[dip] = -7;
    // Beside what would cancel it in a mean.
    row[dip + 1] = 6.9;
    const of = lines(count, { values: [row], starts: [0], explained: [count - 1] });
    const found = columns(of, width, 0);
    const each = count / width;
    found.forEach((value, x) => {
      // A run of the level stands in the pixel of its middle: at most half a pixel off.
      const wide = row.subarray(
        Math.max(0, Math.floor((x - 0.5) * each)),
        Math.min(count, Math.ceil((x + 1.5) * each)),
      );
      assert.ok(wide.includes(value), `column ${x}`);
      const sure = row.subarray(Math.ceil((x + 0.49) * each), Math.floor((x + 0.51) * each));
      for (const one of sure) assert.ok(Math.abs(one) <= Math.abs(value) + 1e-6);
    });
    assert.equal(found.filter((value) => value === 9).length, 1);
    assert.equal(found.filter((value) => value === -7).length, 1);
    assert.ok(Math.abs(found.indexOf(9) - (spike + 0.5) / each + 0.5) <= 1);
  }
});

test("outside of what was read, and where a value is missing, there is none", () => {
  const row = new Float32Array(2 * 200).fill(1);
  row.fill(NaN, 50, 80);
  const of = lines(1000, { values: [row], starts: [300], explained: [499] });
  const found = columns(of, 1000, 0);
  found.forEach((value, x) => {
    const there = x >= 300 && x < 500 && !(x >= 350 && x < 380);
    assert.equal(Number.isNaN(value), !there, `column ${x}`);
  });
  // What begins before the series is padding.
  const early = lines(1000, { values: [row], starts: [-150], explained: [49] });
  const cut = columns(early, 1000, 0);
  assert.deepEqual(
    [...cut.keys()].filter((x) => !Number.isNaN(cut[x])),
    Array.from({ length: 50 }, (_, i) => i),
  );
});

test("a timestep that is wider than a pixel fills its own, to where a gap begins", () => {
  const days = Float64Array.from([
    ...Array(20).keys(),
    ...Array.from(Array(20).keys(), (t) => t + 60),
  ]);
  const row = Float32Array.from({ length: 80 }, (_, t) => (t % 40) + 1);
  const axis = { counted: undefined, kind: "number", shared: true, decimals: 0, at: [[0, 8 * 41]] };
  const of = lines(40, {
    ...{ values: [row], starts: [0], explained: [39] },
    ...{ axis, places: days },
  });
  const found = columns(of, 800, 0, { start: -0.5, scale: 10 });
  assert.deepEqual(
    [5, 15, 195].map((x) => found[x]),
    [1, 2, 20],
  );
  assert.ok([240, 400, 560].every((x) => Number.isNaN(found[x])));
  assert.deepEqual(
    [605, 795].map((x) => found[x]),
    [21, 40],
  );
});

test("from afar, too, a gap between two stretches has none", () => {
  const [half, far] = [1000, 9000];
  const places = Float64Array.from({ length: 2 * half }, (_, t) => (t < half ? t : far + t - half));
  const row = new Float32Array(4 * half).fill(1);
  const axis = { counted: undefined, kind: "number", shared: true, decimals: 0 };
  const of = lines(2 * half, {
    ...{ values: [row], starts: [0], explained: [2 * half - 1] },
    ...{ axis: { ...axis, at: [[0, 8 * (2 * half + 1)]] }, places },
  });
  const found = columns(of, 200, 0, { start: 0, scale: 0.02 });
  found.forEach((value, x) => {
    const [from, to] = [x, x + 1].map((edge) => edge * 50);
    const there = to < half || (from > far && to < far + half);
    const none = from > half + 100 && to < far - 100;
    if (there || none) assert.equal(Number.isNaN(value), none, `column ${x}`);
  });
});

test("channels are added up where they stand behind one line", () => {
  const row = Float32Array.of(1, NaN, 2, NaN, 0.5, 3, NaN, NaN);
  const of = lines(4, { values: [row], starts: [0], explained: [3] });
  assert.deepEqual([...columns(of, 4, undefined)].map(String), ["1.5", "3", "2", "NaN"]);
  assert.equal(of.relevance.largest({ method: 0, channel: undefined }, 0), 6);
  assert.equal(of.relevance.largest({ method: 0, channel: 1 }, 0), 3);
  assert.equal(of.relevance.largest({ method: 0, channel: undefined }), 2);
});

test("the explanation that is shown is the nearest of the example", () => {
  const rows = [0, 1, 2, 3].map((at) => new Float32Array(20).fill(at));
  const of = lines(100, {
    ...{ values: rows, starts: [0, 20, 40, 0], explained: [9, 29, 49, 9] },
    examples: [0, 0, 0, 1],
  });
  const { relevance } = of;
  assert.deepEqual(
    [0, 18, 20, 39, 40, 99].map((t) => relevance.row(0, t)),
    [0, 0, 1, 1, 2, 2],
  );
  assert.equal(relevance.row(1, 99), 3);
  assert.equal(relevance.row(2, 0), undefined);
});

test("what isn't in the page is asked for like other lines, and drawn once it has come", () => {
  const row = Float32Array.from({ length: 4096 }, (_, t) => Math.sin(t));
  const of = lines(2048, {
    ...{ values: [row], starts: [0], explained: [2047] },
    whole: false,
  });
  assert.ok(columns(of, 100, 0).every(Number.isNaN));
  of.lines.request();
  const [asked] = of.model.sent;
  assert.ok(asked.lines.length > 0);
  assert.ok(asked.lines.every((/** @type {any[]} */ [key]) => key[0] === "relevance"));
  of.lines.dispose();
});

test("until all of it has come, and where there is none, there is no relevance", () => {
  const row = new Float32Array(8);
  const { model } = lines(4, { values: [row], starts: [0], explained: [3] });
  model.set("_relevance_values", new Uint8Array(4));
  assert.equal(relevanceHere(model), false);
  model.set("_relevance", {});
  assert.equal(relevanceHere(model), false);
});
