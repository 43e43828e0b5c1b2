import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { Axis } from "../../src/data/axis.js";
import { POOLED, TILE, WholeLine } from "../../src/data/levels.js";
import { Lines, linesHere } from "../../src/data/lines.js";
import { FakeModel, random } from "../load.mjs";

/** @typedef {import("../../src/data/lines.js").Key} Key */

beforeEach(() => mock.timers.enable({ apis: ["setTimeout"] }));
afterEach(() => mock.timers.reset());

const COUNT = 20_000;
const DAY = 86_400_000;
/** @type {Key} */
const RAIN = ["channel", 0, "", ""];
/** @type {Key} */
const CELL = ["cell", 1, "lstm", "cell_state"];
const LAYER = {
  ...{ name: "lstm", kind: "LSTM", go_backwards: false, windowed: false, masked: false },
  ...{ signals: ["cell_state"], examples: 2, timesteps: 5, cells: 2, tokens: false, labels: false },
  check: {},
};

const rows = (/** @type {number} */ seed, /** @type {number} */ count) => {
  const { next } = random(seed);
  return Float32Array.from({ length: count }, () => next() - 0.5);
};

/** @param {Record<string, unknown>} more */
function model(more = {}) {
  const axis = { kind: "date", shared: true, resolution: "day", count: COUNT };
  return new FakeModel({
    _beside: { channels: [{ name: "rain", unit: "mm" }], outputs: [], tracks: {}, labels: null },
    _axes: {
      "": { ...axis, runs: [[[0, DAY, COUNT]]] },
      lstm: { kind: "timestep", count: 5, counted: [2, 3], padding: [[[0, 1]], []] },
    },
    _axis_values: new Uint8Array(0),
    _series: { keys: [], examples: [0, 2] },
    _series_values: new Uint8Array(0),
    _summary: {},
    _overview: new Uint8Array(0),
    _whole: new Uint8Array(0),
    _layers: [LAYER],
    ...more,
  });
}

const bytesOf = (/** @type {Float32Array[]} */ ...parts) =>
  new Uint8Array(Buffer.concat(parts.map((part) => Buffer.from(part.buffer))));

/** Answers the last request as Python does. @param {FakeModel} fake @param {Float32Array} values */
function answer(fake, values) {
  const { id, lines, largest } = fake.sent[fake.sent.length - 1];
  const line = new WholeLine(values);
  const buffers = lines.map((/** @type {any[]} */ [, , level, block]) => {
    const { low, high } = line.level(level);
    const part = [low, high].map((row) => row.slice(block * TILE, (block + 1) * TILE));
    return bytesOf(...(level ? part : part.slice(0, 1)));
  });
  const told = largest && { largest: [...largest, 7] };
  fake.emit("msg:custom", { id, lines, ...told }, buffers);
}

test("lines in the page are read out of it, of every example", () => {
  const [first, second] = [rows(1, COUNT), rows(2, COUNT)];
  const fake = model({
    _series: { keys: [RAIN], examples: [0, 2] },
    _series_values: bytesOf(first, second),
  });
  assert.ok(linesHere(fake));
  const lines = new Lines(fake, [LAYER], () => {});
  assert.equal(lines.value(RAIN, 0, 12_345), first[12_345]);
  assert.equal(lines.value(RAIN, 1, 12_345), second[12_345]);
  assert.deepEqual(lines.tile(RAIN, 1, 2, 1), {
    low: new WholeLine(second).level(2).low.subarray(TILE, 2 * TILE),
    high: new WholeLine(second).level(2).high.subarray(TILE, 2 * TILE),
  });
  lines.request();
  assert.equal(fake.sent.length, 0);
});

test("while not all has come, nothing is drawn", () => {
  const fake = model({
    _series: { keys: [RAIN], examples: [0, 1] },
    _series_values: new Uint8Array(4 * COUNT - 4),
  });
  assert.equal(linesHere(fake), false);
  assert.equal(linesHere(model({ _axes: {} })), false);
});

test("cells are read out of all that is in the page", () => {
  // (cell, column): two cells over two examples of five timesteps.
  const values = rows(3, 20);
  const lines = new Lines(model({ _whole: bytesOf(values) }), [LAYER], () => {});
  assert.equal(lines.value(CELL, 1, 3), values[10 + 5 + 3]);
  const largest = Math.max(...values.map(Math.abs));
  assert.equal(lines.largest("lstm", "cell_state"), largest);
});

test("cells have a gap where they are padding, of exact values as of codes", () => {
  const values = rows(6, 20);
  const mask = Uint8Array.from([1, 1, 1, 1, 1, 1, 1, 0, 0, 1]);
  const exact = bytesOf(values);
  const codes = Uint8Array.from({ length: 20 }, (_, i) => 120 + i);
  const statistics = bytesOf(Float32Array.from([1, 1, 0, 0, 0, 0]));
  for (const [held, rounded] of /** @type {const} */ ([
    [[exact, mask], false],
    [[codes, statistics, mask], true],
  ])) {
    const layer = { ...LAYER, masked: true, rounded };
    const _whole = new Uint8Array(Buffer.concat(held));
    const lines = new Lines(model({ _whole, _layers: [layer] }), [layer], () => {});
    const read = (/** @type {number} */ example) =>
      [0, 1, 2, 3, 4].map((at) => Number.isNaN(lines.value(CELL, example, at)));
    assert.deepEqual(read(0), [false, false, false, false, false]);
    assert.deepEqual(read(1), [false, false, true, true, false]);
    if (!rounded) assert.equal(lines.value(CELL, 1, 1), values[10 + 6]);
  }
});

test("what is missing is asked for once, and drawn from afar until it comes", () => {
  const values = rows(4, COUNT);
  values[9_999] = 3;
  const fake = model();
  let arrivals = 0;
  const lines = new Lines(fake, [LAYER], () => arrivals++);
  assert.equal(lines.extent(RAIN, 0), undefined);
  assert.equal(lines.best(RAIN, 0, 0, 19), undefined);
  lines.request();
  assert.deepEqual(
    fake.sent[0].lines.map((/** @type {any[]} */ [, example, level, block]) => [
      example,
      level,
      block,
    ]),
    [
      [0, 3, 0],
      [0, 0, 19],
    ],
  );
  assert.equal(lines.value(RAIN, 0, 3), undefined);
  lines.request(); // while an answer is due, none
  assert.equal(fake.sent.length, 1);
  answer(fake, values);
  assert.equal(arrivals, 1);
  assert.equal(lines.extent(RAIN, 0)?.[1], 3);
  const itself = lines.best(RAIN, 0, 0, 19);
  assert.deepEqual([itself?.first, itself?.size], [19 * TILE, 1]);
  assert.equal(lines.value(RAIN, 0, 9_999), 3);
  // Of others, the coarsest is here: whole runs that hold all of the block.
  for (const [level, block] of [
    [0, 5],
    [1, 3],
    [2, 1],
  ]) {
    const found = lines.best(RAIN, 0, level, block);
    assert.ok(found);
    assert.equal(found.size, POOLED ** 3);
    const [from, to] = [block * TILE * POOLED ** level, (block + 1) * TILE * POOLED ** level];
    assert.ok(
      found.first <= from && found.first + found.low.length * found.size >= Math.min(to, COUNT),
    );
    const part = values.subarray(found.first, found.first + found.size);
    assert.equal(found.high[0], Math.max(...part));
  }
});

test("between two times, the extent is that of what is there", () => {
  const values = rows(5, COUNT);
  values[400] = 9;
  values[500] = -9;
  const fake = model({
    _series: { keys: [RAIN], examples: [0, 1] },
    _series_values: bytesOf(values),
  });
  const lines = new Lines(fake, [LAYER], () => {});
  assert.equal(lines.extentBetween(RAIN, 0, 399.5 * DAY, 400 * DAY)?.[1], 9);
  const [low, high] = lines.extentBetween(RAIN, 0, 401 * DAY, 499 * DAY) ?? [];
  const part = values.subarray(401, 500);
  assert.deepEqual([low, high], [Math.min(...part), Math.max(...part)]);
  assert.deepEqual(lines.extentBetween(RAIN, 0, 0, COUNT * DAY), [-9, 9]);
});

test("what Python gave first is drawn without asking", () => {
  const values = rows(6, COUNT);
  const { low, high } = new WholeLine(values).level(3);
  const fake = model({
    _summary: { layer: "lstm", signal: "cell_state", lines: [[RAIN, 1, 3, 0]] },
    _overview: bytesOf(low, high),
  });
  const lines = new Lines(fake, [LAYER], () => {});
  assert.deepEqual(lines.extent(RAIN, 1), [Math.min(...low), Math.max(...high)]);
  lines.request();
  assert.equal(fake.sent.length, 0);
});

test("an axis says where timesteps stand, and which is there", () => {
  const even = new Axis(model().get("_axes")[""], new Uint8Array(0), 0);
  assert.deepEqual([even.at(0), even.at(3), even.last], [0, 3 * DAY, (COUNT - 1) * DAY]);
  assert.deepEqual([even.before(2.9 * DAY), even.before(3 * DAY), even.before(-5)], [2, 3, 0]);
  assert.deepEqual([even.nearest(2.6 * DAY), even.nearest(1e18)], [3, COUNT - 1]);
  const counted = new Axis(model().get("_axes").lstm, new Uint8Array(0), 0);
  assert.deepEqual(
    [0, 1, 4].map((t) => counted.at(t)),
    [2, 5, 14],
  );
  assert.equal(counted.step, 3);
  assert.deepEqual(counted.padding, [[0, 1]]);
  const packed = new Uint8Array(Float64Array.of(0, 1, 2, 10, 0, 5, 6, 7).buffer);
  const uneven = {
    kind: /** @type {const} */ ("number"),
    count: 3,
    at: [
      [0, 32],
      [32, 64],
    ],
  };
  const second = new Axis(/** @type {any} */ (uneven), packed, 1);
  assert.deepEqual(
    [0, 1, 2].map((t) => second.at(t)),
    [5, 6, 7],
  );
  const first = new Axis(/** @type {any} */ (uneven), packed, 0);
  assert.deepEqual([first.nearest(5.9), first.nearest(6.1), first.before(9.9)], [1, 2, 1]);
});

test("a page that holds only some lines asks for no others, and knows which it goes without", () => {
  const values = rows(5, COUNT);
  const fake = model({
    _series: {
      ...{ keys: [RAIN], examples: [1, 2] },
      ...{ only: true, largest: [["lstm", "cell_state", 3]] },
    },
    _series_values: bytesOf(values),
  });
  const lines = new Lines(fake, /** @type {any} */ ([LAYER]), () => {});
  assert.equal(lines.value(RAIN, 1, 7), values[7]);
  assert.equal(lines.largest("lstm", "cell_state"), 3);
  assert.equal(lines.largest("lstm", "hidden_state"), undefined);
  assert.equal(lines.value(CELL, 1, 2), undefined);
  assert.equal(lines.extent(CELL, 1), undefined);
  const absent = [lines.absent(RAIN, 1), lines.absent(RAIN, 0), lines.absent(CELL, 1)];
  assert.deepEqual(absent, [false, true, true]);
  lines.request();
  assert.equal(fake.sent.length, 0);
  assert.equal(new Lines(model(), /** @type {any} */ ([LAYER]), () => {}).absent(CELL, 1), false);
});
