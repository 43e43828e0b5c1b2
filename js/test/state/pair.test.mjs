import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeModel, load } from "../load.mjs";

/** @type {typeof import("../../src/state/pair.js")} */
const { PairState, pairOf } = await load("state/pair.js");

const LAYERS = ["lstm", "other"].map((name) => ({
  ...{ name, signals: ["hidden_state"], examples: 2, timesteps: 5, cells: 4 },
  ...{ masked: false, tokens: false, labels: false, check: {} },
}));
/** Of each cell of the first network the partner in the other; the last has none. */
const PARTNERS = [2, 0, 1, -1];
const PAIRS = {
  layers: ["lstm", "lstm"],
  names: ["a", "b: seed 2"],
  partners: PARTNERS,
  told: ["0 and 2", "1 and 0", "2 and 1", "3 alone"],
};
const SAME = { example: 0, timestep: 0, threshold: 0, palette: "auto", scale: "layer" };
const TRAITS = { ...SAME, align: "read", hidden_tracks: [], cell: 0 };

function models() {
  const side = (/** @type {number} */ cell) =>
    new FakeModel({ ...TRAITS, cell, _layers: LAYERS, layer: "lstm", signal: "hidden_state" });
  return [
    new FakeModel({ ...TRAITS, _pairs: PAIRS, _a: "IPY_MODEL_1", _b: "IPY_MODEL_2" }),
    side(0),
    side(2),
  ];
}

test("a cell selects its partner, from either side and from the whole", () => {
  const [whole, a, b] = models();
  const state = new PairState(whole, [a, b]);
  const cells = () => [whole, a, b].map((model) => model.get("cell"));
  a.set("cell", 1);
  assert.deepEqual(cells(), [1, 1, 0]);
  b.set("cell", 1);
  assert.deepEqual(cells(), [2, 2, 1]);
  assert.equal(state.told, "2 and 1");
  whole.set("cell", 0);
  assert.deepEqual(cells(), [0, 0, 2]);
  assert.equal(state.told, "0 and 2");
  a.set("cell", 3);
  assert.deepEqual(cells(), [3, 3, 2]);
  assert.equal(state.told, "3 alone");
  a.set("cell", 0);
  b.set("cell", 3);
  assert.deepEqual(cells(), [0, 0, 3]);
  assert.equal(state.told, "cell 3 of b: seed 2 has no pair");
});

test("what is the same of both goes together, once", () => {
  const [whole, a, b] = models();
  const state = new PairState(whole, [a, b]);
  a.set("timestep", 3);
  b.set("palette", "vik");
  whole.set("threshold", 0.5);
  state.sides[1].brush(1, 2, undefined);
  for (const model of [whole, a, b]) {
    assert.deepEqual(
      ["timestep", "palette", "threshold"].map((name) => model.get(name)),
      [2, "vik", 0.5],
    );
  }
  assert.deepEqual(a.get("span"), [1, 3]);
  assert.equal(a.get("_span_example"), 0);
  const saved = [whole, a, b].map((model) => model.saved);
  a.set("timestep", 2); // which it is
  assert.deepEqual(
    [whole, a, b].map((model) => model.saved),
    saved,
  );
});

test("a search is made in both", () => {
  const [whole, a, b] = models();
  const { sides } = new PairState(whole, [a, b]);
  sides[1].find("the");
  assert.equal(sides[0].query, "the");
  sides[0].find("");
  assert.equal(sides[1].query, "");
});

test("cells of other layers than those that were compared are no partners", () => {
  const [whole, a, b] = models();
  const state = new PairState(whole, [a, b]);
  a.set("layer", "other");
  a.set("cell", 1);
  assert.equal(b.get("cell"), 2);
  assert.match(state.told, /^other layers/);
  a.set("layer", "lstm");
  assert.equal(state.partner(0, 1), 0);
  assert.equal(state.partner(1, 0), 1);
  assert.equal(state.partner(0, 3), undefined);
});

test("the models of both come from what a host has", async () => {
  const [whole, a, b] = models();
  const get_model = async (/** @type {string} */ id) => ({ 1: a, 2: b })[id];
  const getModel = async (/** @type {string} */ id) => ({ "anywidget:1": a, "anywidget:2": b })[id];
  const newer = await pairOf(whole, /** @type {any} */ ({ getModel }));
  assert.deepEqual(
    newer.sides.map(({ model }) => model),
    [a, b],
  );
  await assert.rejects(pairOf(whole), /shows no widget within another/);
  const older = await pairOf(
    /** @type {any} */ (Object.assign(whole, { widget_manager: { get_model } })),
  );
  older.dispose();
  for (const model of [whole, a, b]) model.saved = 0;
  newer.dispose();
  a.set("timestep", 4);
  assert.equal(b.saved, 0);
});
