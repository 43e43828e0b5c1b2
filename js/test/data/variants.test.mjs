import assert from "node:assert/strict";
import { test } from "node:test";
import { WholeSource } from "../../src/data/source.js";
import { Common, meanOf, VariantModel } from "../../src/data/variants.js";
import { FakeModel, load, random } from "../load.mjs";

const { RecordingState } = await load("state/recording.js");
/** @type {typeof import("../../src/ui/variant_row.js")} */
const { beat } = await load("ui/variant_row.js");

const NAMES = ["a", "b", "c"];
const [CELLS, COLUMNS] = [3, 10];
const LAYER = {
  name: "lstm",
  kind: "LSTM",
  signals: ["hidden_state", "forget_gate"],
  examples: 2,
  timesteps: 5,
  cells: CELLS,
  masked: true,
  tokens: true,
  labels: false,
  check: { difference: 1 },
};
/** The last column is padding. */
const MASK = Uint8Array.from({ length: COLUMNS }, (_, i) => Number(i < COLUMNS - 1));

/** Three variants of one layer: (variant, signal, cell, column), and the model that has them all. */
function several(more = {}) {
  const { next } = random(3);
  const values = NAMES.map((_, v) =>
    [0, 1].map(() =>
      Array.from({ length: CELLS }, () =>
        Float32Array.from({ length: COLUMNS }, () => (v + 1) * (2 * next() - 1)),
      ),
    ),
  );
  const parts = values.map((signals) =>
    Buffer.concat([...signals.flat().map((row) => Buffer.from(row.buffer)), MASK]),
  );
  const size = parts[0].length;
  const model = new FakeModel({
    _layers: [LAYER],
    _whole: Buffer.concat(parts),
    _text: { lstm: { tokens: [..."abcdefghij"], labels: null } },
    _summary: {},
    _variants: {
      names: NAMES,
      whole: [0, size, 2 * size, 3 * size],
      text: NAMES.map((name) => ({ lstm: { guessed: [name] } })),
      check: NAMES.map((_, i) => ({ lstm: { difference: i } })),
      own: [{}, { lstm: { initial: "given" } }, {}],
    },
    variant: "a",
    difference: "",
    layer: "lstm",
    signal: "hidden_state",
    example: 0,
    cell: 0,
    timestep: 0,
    threshold: 0,
    palette: "auto",
    scale: "layer",
    ...more,
  });
  return { model, values };
}

test("each variant has its own bytes, and words that are its own", () => {
  const { model, values } = several();
  NAMES.forEach((name, v) => {
    const of = new VariantModel(model, name);
    const source = new WholeSource(of, of.layer(/** @type {any} */ (LAYER)), "forget_gate");
    assert.deepEqual(source.rows, values[v][1]);
    assert.deepEqual(of.get("_text").lstm.guessed, [name]);
    assert.equal(of.get("_text").lstm.tokens[3], "d");
    assert.equal(of.get("_layers")[0].initial, name === "b" ? "given" : undefined);
    assert.equal(of.get("signal"), "hidden_state");
  });
});

test("questions name the variant, and what is subtracted", () => {
  const { model } = several();
  const less = new VariantModel(model, "c", new VariantModel(model, "a"));
  less.send({ id: "1" });
  new VariantModel(model, "b").send({ id: "2" });
  assert.deepEqual(model.sent, [
    { id: "1", variant: "c", difference: "a" },
    { id: "2", variant: "b", difference: "" },
  ]);
});

test("one scale for all variants, and one order", () => {
  const { model, values } = several();
  const state = new RecordingState(model);
  const largest = Array.from({ length: CELLS }, (_, cell) =>
    Math.max(...values.flatMap((one) => [...one[0][cell]].map(Math.abs))),
  );
  const mean = (/** @type {Float32Array} */ row) =>
    row.subarray(0, COLUMNS - 1).reduce((sum, value) => sum + Math.abs(value), 0) / (COLUMNS - 1);
  const means = values.map((one) => one[0].map(mean));
  let ordered;
  NAMES.forEach((name, v) => {
    model.set("variant", name);
    const { source } = state;
    assert.deepEqual(source.rows, values[v][0]);
    assert.deepEqual([...source.statistics.largest], largest);
    for (let cell = 0; cell < CELLS; cell++) {
      const close = (/** @type {number} */ a, /** @type {number} */ b) =>
        assert.ok(Math.abs(a - b) < 1e-6, `${a}, ${b}`);
      close(source.statistics.meanMagnitude[cell], means[v][cell]);
      close(
        source.compared.meanMagnitude[cell],
        (means[0][cell] + means[1][cell] + means[2][cell]) / 3,
      );
      close(source.loudest[cell], Math.max(...means.map((one) => one[cell])));
      // A code is off by half a step of the common scale at most.
      const codes = source.tile(0, 0, cell);
      values[v][0][cell].forEach((value, i) => {
        const drawn = ((codes[i] - 127) / 126) * largest[cell];
        assert.ok(Math.abs(drawn - value) <= largest[cell] / 252 + 1e-6);
      });
    }
    ordered ??= source.ordered;
    assert.equal(source.ordered, ordered);
  });
  model.set("signal", "forget_gate");
  assert.notEqual(state.source?.ordered, ordered);
});

test("a difference is that of float32 numbers, on a scale for all differences", () => {
  const { model, values } = several({ difference: "b" });
  const state = new RecordingState(model);
  const less = (/** @type {number} */ v, /** @type {number} */ cell) =>
    values[v][0][cell].map((value, i) => value - values[1][0][cell][i]);
  const largest = Array.from({ length: CELLS }, (_, cell) =>
    Math.max(...NAMES.flatMap((_, v) => [...less(v, cell)].map(Math.abs))),
  );
  NAMES.forEach((name, v) => {
    model.set("variant", name);
    const { source } = state;
    assert.equal(source?.less, "b");
    for (let cell = 0; cell < CELLS; cell++) {
      const row = Array.from({ length: COLUMNS }, (_, i) => source?.exact(cell, i));
      assert.deepEqual(row, [...less(v, cell)]);
    }
    assert.deepEqual([.../** @type {any} */ (source).statistics.largest], largest);
  });
  model.set("signal", "forget_gate");
  assert.equal(state.source?.gate, false);
});

test("what the self-check found is told of the variant that is shown", () => {
  const { model } = several();
  const state = new RecordingState(model);
  NAMES.forEach((name, i) => {
    model.set("variant", name);
    assert.equal(state.check.difference, i);
  });
});

test("a name that a link brings from elsewhere changes nothing", () => {
  const { model } = several();
  const state = new RecordingState(model);
  const { source } = state;
  model.set("variant", "elsewhere");
  model.set("difference", "elsewhere");
  assert.equal(state.source, source);
  assert.deepEqual([state.variant, state.difference], ["a", ""]);
});

test("a source is kept, and made anew with other values", () => {
  const { model } = several();
  const state = new RecordingState(model);
  const { source } = state;
  model.set("variant", "c");
  model.set("variant", "a");
  assert.equal(state.source, source);
  model.set(
    "_whole",
    several({})
      .model.get("_whole")
      .map((/** @type {number} */ byte) => byte ^ 1),
  );
  assert.notEqual(state.source, source);
});

/** What the kernel sends of a variant that is shown. @param {string} variant @param {number} level */
function summary(variant, level = 0) {
  const statistics = Float32Array.from({ length: 6 * CELLS }, (_, i) => i + 1);
  return {
    _whole: Buffer.alloc(0),
    _summary: { layer: "lstm", signal: "hidden_state", variant, difference: "", level },
    _overview: new Uint8Array(CELLS * COLUMNS).fill(127),
    _statistics: Buffer.from(statistics.buffer),
    _variants: { names: NAMES, check: [], own: [{}, {}, {}] },
  };
}

test("of what the kernel has, the page waits for the variant, and keeps what was shown", () => {
  const { model } = several(summary("a"));
  const state = new RecordingState(model);
  const first = state.source;
  assert.equal(first.rows, undefined);
  assert.deepEqual([...first.statistics.largest], [1, 2, 3]);
  assert.deepEqual([...first.loudest], [10, 11, 12]);
  assert.deepEqual([...first.compared.meanMagnitude], [13, 14, 15]);
  model.set("variant", "b");
  assert.equal(state.source, undefined);
  assert.equal(state.waiting, true);
  for (const [name, value] of Object.entries(summary("b"))) model.set(name, value);
  const second = state.source;
  assert.ok(second);
  assert.equal(second.ordered, first.ordered);
  second.exact(1, 3);
  second.request();
  assert.equal(model.sent[0].variant, "b");
  assert.equal(state.waiting, true);
  model.set("variant", "a");
  assert.equal(state.source, first);
  second.dispose();
});

test("means over variants leave out what is no number", () => {
  const rows = [Float32Array.of(1, NaN, NaN), Float32Array.of(3, 5, NaN)];
  assert.deepEqual([...meanOf(rows)], [2, 5, NaN]);
  const common = new Common();
  const statistics = rows.map((row) => ({ largest: row, meanMagnitude: row, variance: row }));
  common.measure(statistics);
  assert.deepEqual([.../** @type {Float32Array} */ (common.loudest)], [3, 5, NaN]);
});

test("variants go by neither so fast that they flash, nor so slowly that nothing moves", () => {
  assert.deepEqual([2, 12, 20, 500].map(beat), [900, 10_000 / 12, 500, 400]);
});
