import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeModel, load } from "../load.mjs";

/** @type {typeof import("../../src/state/finder.js")} */
const { FinderState } = await load("state/finder.js");

const ROWS = [
  // variant, layer, signal, concept, cell, score, threshold, sign
  [1, 0, 0, 0, 3, 0.9, 0.5, 1],
  [1, 0, 0, 1, 2, 0.8, 0.5, 1],
  [0, 0, 0, 1, 2, 0.5, 0.5, 1],
  [2, 0, 0, 0, 3, 0.4, 0.5, 1],
];

function finder(values = {}) {
  const layer = { name: "lstm", signals: ["h"], examples: 1, timesteps: 5, cells: 4, check: {} };
  const ranked = Float32Array.from(ROWS[0].flatMap((_, i) => ROWS.map((row) => row[i])));
  const names = ["a", "b", "c"];
  const model = new FakeModel({
    _layers: [layer],
    _variants: { names, check: [{}, {}, {}], own: [{}, {}, {}] },
    _ranking: {
      ...{ rows: 4, total: 4, numbers: ["cell", "score", "threshold", "sign"] },
      ...{ variant: names, layer: ["lstm"], signal: ["h"], concept: ["x", "y"] },
    },
    _ranked: new DataView(ranked.buffer),
    ...{ layer: "lstm", signal: "h", example: 0, cell: 0, timestep: 0, _notes: {} },
    ...{ variant: "b", difference: "", row: 0, _summary: {}, _text: {}, _axes: {} },
    ...values,
  });
  return { model, state: new FinderState(model) };
}

test("the selected row is that of the variant shown", () => {
  const { model, state } = finder();
  assert.equal(state.row, 0);
  model.set("variant", "c");
  assert.equal(state.row, 3);
  // Where there is no such row none is selected, until there is one.
  model.set("variant", "a");
  assert.equal(state.row, -1);
  model.set("variant", "b");
  assert.equal(state.row, 0);
  model.set("row", 2);
  assert.equal(state.row, 1);
  model.set("row", -1);
  assert.equal(state.row, -1);
  // Nothing is set here that somebody would have to be told: they come to the same themselves.
  assert.deepEqual([model.get("variant"), model.saved], ["b", 0]);
});

test("a row that didn't travel is none here", () => {
  assert.equal(finder({ row: 77 }).state.row, -1);
});

test("variants wait for their evidence", () => {
  const { model, state } = finder();
  assert.ok(state.waiting);
  const { evidence } = state;
  evidence.of(0);
  evidence.flush();
  const sent = { passages: [], histogram: null, scatter: null, null: null };
  model.emit("msg:custom", { id: model.sent[0].id, evidence: 0, ...sent }, []);
  assert.ok(evidence.known(0));
  state.dispose();
  assert.equal(model.listeners("msg:custom"), 0);
});
