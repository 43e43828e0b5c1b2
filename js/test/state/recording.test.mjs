import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeModel, load } from "../load.mjs";

/** @type {typeof import("../../src/state/recording.js")} */
const { RecordingState } = await load("state/recording.js");

/** @param {string} name @param {string[]} signals @param {number[]} shape */
function layer(name, signals, [examples, timesteps, cells]) {
  const known = { masked: false, tokens: false, labels: false, check: {} };
  return { name, signals, examples, timesteps, cells, ...known };
}

const LAYERS = [
  layer("encoder", ["hidden_state", "forget_gate"], [3, 5, 4]),
  layer("decoder", ["hidden_state", "update_gate"], [3, 2, 2]),
];

/** @param {Record<string, unknown>} values */
function modelWith(values = {}) {
  return new FakeModel({
    _layers: LAYERS,
    _whole: new DataView(new ArrayBuffer(4 * (2 * 60 + 2 * 12))),
    _text: { encoder: {}, decoder: {} },
    _summary: {},
    layer: "encoder",
    signal: "hidden_state",
    example: 0,
    cell: 0,
    timestep: 0,
    threshold: 0,
    palette: "auto",
    scale: "layer",
    ...values,
  });
}

/** Values of a model that has only an overview of one signal. @param {string} name @param {string} signal */
function summary(name, signal) {
  return {
    _whole: new DataView(new ArrayBuffer(0)),
    _summary: { layer: name, signal, level: 0 },
    _overview: new DataView(new Uint8Array(60).fill(127).buffer),
    _statistics: new DataView(new ArrayBuffer(48)),
  };
}

test("another layer brings a signal that it has, and the selection inside it", () => {
  const model = modelWith({ signal: "forget_gate", example: 2, cell: 3, timestep: 4 });
  const state = new RecordingState(model);
  model.set("layer", "decoder");
  assert.equal(model.get("signal"), "hidden_state");
  assert.deepEqual([model.get("example"), model.get("cell"), model.get("timestep")], [2, 1, 1]);
  assert.equal(state.layer.name, "decoder");
  assert.equal(state.source?.layer.name, "decoder");
});

test("another layer keeps a signal that it has, and a selection that is inside", () => {
  const model = modelWith({ example: 1, cell: 1, timestep: 1 });
  new RecordingState(model);
  model.set("layer", "decoder");
  assert.equal(model.get("signal"), "hidden_state");
  assert.deepEqual([model.get("example"), model.get("cell"), model.get("timestep")], [1, 1, 1]);
});

test("an index that a link brings is kept inside the layer", () => {
  const model = modelWith({ layer: "decoder" });
  new RecordingState(model);
  model.set("cell", 99);
  model.set("timestep", 99);
  model.set("example", 99);
  assert.deepEqual([model.get("example"), model.get("cell"), model.get("timestep")], [2, 1, 1]);
});

test("a column is the example and the timestep, examples end to end", () => {
  const model = modelWith();
  const state = new RecordingState(model);
  for (let column = 0; column < 15; column++) {
    state.select(column, undefined);
    assert.equal(state.column, column);
    assert.deepEqual(
      [model.get("example"), model.get("timestep")],
      [Math.floor(column / 5), column % 5],
    );
  }
});

test("a selection stays inside", () => {
  const model = modelWith();
  const state = new RecordingState(model);
  state.select(-3, undefined);
  assert.equal(state.column, 0);
  state.select(1000, undefined, { cell: 2 });
  assert.equal(state.column, 14);
  assert.equal(model.get("cell"), 2);
  assert.equal(model.saved, 1); // the first place was selected already
});

test("nothing recorded has nothing to select, and no error", () => {
  for (const shape of [
    [0, 5, 2],
    [3, 0, 2],
  ]) {
    const model = modelWith({ _layers: [layer("encoder", ["hidden_state"], shape)] });
    const state = new RecordingState(model);
    state.select(4, undefined);
    assert.equal(model.get("timestep"), 0);
    assert.ok(model.get("example") <= Math.max(0, shape[0] - 1));
  }
});

test("views know which of them has changed the selection", () => {
  const state = new RecordingState(modelWith());
  const view = {};
  /** @type {unknown[]} */
  const seen = [];
  const stop = state.watch(() => seen.push(state.origin));
  state.select(7, view);
  assert.deepEqual(seen, [view, view]);
  assert.equal(state.origin, undefined);
  state.model.set("cell", 1);
  assert.deepEqual(seen, [view, view, undefined]);
  stop();
  state.model.set("cell", 2);
  assert.equal(seen.length, 3);
});

test("a view is told the name of what has changed", () => {
  const model = modelWith();
  const state = new RecordingState(model);
  /** @type {string[]} */
  const names = [];
  state.watch((changed) => names.push(...changed));
  for (const [name, value] of [
    ["threshold", 0.5],
    ["palette", "vik"],
    ["scale", "cell"],
    ["_unknown", 1],
  ]) {
    model.set(/** @type {string} */ (name), value);
  }
  assert.deepEqual(names, ["threshold", "palette", "scale"]);
});

test("the source is made once for what is shown", () => {
  const model = modelWith();
  const state = new RecordingState(model);
  const first = state.source;
  assert.ok(first);
  model.set("cell", 1);
  assert.equal(state.source, first);
  model.set("signal", "forget_gate");
  assert.notEqual(state.source, first);
  assert.equal(state.source?.signal, "forget_gate");
});

test("a signal that the kernel has yet to summarise has no source until it has", () => {
  const model = modelWith(summary("encoder", "hidden_state"));
  const state = new RecordingState(model);
  const first = state.source;
  assert.ok(first);
  const listening = model.listeners("msg:custom");
  const shown = () => state.source?.signal;
  model.set("signal", "forget_gate");
  assert.equal(shown(), undefined);
  model.set("_summary", { layer: "encoder", signal: "forget_gate", level: 0 });
  assert.equal(shown(), "forget_gate");
  // The old one listens no more.
  assert.equal(model.listeners("msg:custom"), listening);
});

test("what arrives from the kernel is told to the views", () => {
  const model = modelWith(summary("encoder", "hidden_state"));
  const state = new RecordingState(model);
  /** @type {string[]} */
  const names = [];
  state.watch((changed) => names.push(...changed));
  const source = state.source;
  source?.tile(-1, 0, 0);
  source?.request();
  model.emit("msg:custom", { id: model.sent[0].id, error: "no" }, []);
  assert.deepEqual(names, ["arrival"]);
});

test("what the kernel refuses is said until the next change", () => {
  const model = modelWith();
  const state = new RecordingState(model);
  model.emit("msg:custom", { kind: "error", text: "cell: expected 0 to 3, got 9" }, []);
  assert.equal(state.error, "cell: expected 0 to 3, got 9");
  model.set("cell", 1);
  assert.equal(state.error, "");
});

test("what the kernel refuses is said beside a source that asks the kernel, too", () => {
  const model = modelWith(summary("encoder", "hidden_state"));
  const state = new RecordingState(model);
  assert.ok(state.source);
  model.emit("msg:custom", { kind: "error", text: "cell: expected 0 to 3, got 9" }, []);
  assert.equal(state.error, "cell: expected 0 to 3, got 9");
});

test("auto is sequential for gates and squares, by the page light or dark", () => {
  const model = modelWith();
  const state = new RecordingState(model);
  assert.equal(state.palette(false), "RdBu_r");
  assert.equal(state.palette(true), "berlin");
  model.set("scale", "squared");
  assert.equal(state.palette(false), "cividis");
  model.set("scale", "layer");
  model.set("signal", "forget_gate");
  assert.equal(state.palette(false), "cividis");
  model.set("palette", "viridis");
  assert.equal(state.palette(true), "viridis");
});

test("a span stops before its second number, whichever way it is dragged or moved by keys", () => {
  const model = modelWith({ span: null, _span_example: 0 });
  const state = new RecordingState(model);
  const chosen = () => [model.get("span"), model.get("_span_example"), model.get("timestep")];
  state.brush(6, 8, undefined);
  assert.deepEqual(chosen(), [[1, 4], 1, 3]);
  assert.deepEqual(state.span, [6, 9]);
  state.brush(8, 6, undefined);
  assert.deepEqual(chosen(), [[1, 4], 1, 1]);
  state.brush(8, 99, undefined); // not past its example
  assert.deepEqual(chosen(), [[3, 5], 1, 4]);
  state.brush(7, 7, undefined);
  assert.deepEqual(chosen(), [[2, 3], 1, 2]);
  // Keys move the end that is selected, through the other one.
  state.extend(1, undefined);
  assert.deepEqual(chosen(), [[2, 4], 1, 3]);
  for (let step = 0; step < 3; step++) state.extend(-1, undefined);
  assert.deepEqual(chosen(), [[0, 3], 1, 0]);
  state.extend(-1, undefined);
  assert.deepEqual(chosen(), [[0, 3], 1, 0]);
  state.select(2, undefined);
  state.extend(1, undefined);
  assert.deepEqual(chosen(), [[2, 4], 0, 3]);
});
