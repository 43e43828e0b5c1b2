import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeModel, load } from "../load.mjs";

/** @type {typeof import("../../src/state/series.js")} */
const { SeriesState } = await load("state/series.js");
/** @type {typeof import("../../src/state/lines_only.js")} */
const { LinesOnlyState } = await load("state/lines_only.js");

const LAYER = {
  ...{ name: "lstm", kind: "LSTM", go_backwards: false, windowed: false, masked: false },
  ...{
    signals: ["hidden_state"],
    examples: 1,
    timesteps: 3,
    cells: 4,
    tokens: true,
    labels: false,
  },
  check: {},
};

/** @param {Record<string, unknown>} more */
function state(more = {}) {
  const model = new FakeModel({
    _layers: [LAYER],
    _notes: {},
    _beside: {
      channels: [
        { name: "rain", unit: "mm" },
        { name: "warmth", unit: "°C" },
      ],
      outputs: [{ name: "flow", unit: "mm", output: 0, target: 1 }],
      tracks: { lstm: [{ name: "flood", yes_no: true }] },
      labels: null,
    },
    ...{ layer: "lstm", signal: "hidden_state", example: 0, cell: 2, timestep: 0, cells: [] },
    ...{ channels: null, outputs: null, hidden_tracks: [], subject: null, arrange: "bands" },
    ...more,
  });
  return { model, series: new SeriesState(model) };
}

const names = (/** @type {import("../../src/state/series.js").Subject[]} */ all) =>
  all.map(({ kind, name, cell }) => (kind === "cell" ? `cell ${cell}` : name));

test("lines stand in order: channels, outputs, cells, tracks", () => {
  const { series } = state({ cells: [3] });
  const all = ["rain", "warmth", "flow", "cell 2", "cell 3", "flood"];
  assert.deepEqual(names(series.subjects), all);
  const [, , flow] = series.subjects;
  assert.deepEqual(
    flow.keys.map(([kind, index]) => [kind, index]),
    [
      ["target", 1],
      ["output", 0],
    ],
  );
});

test("tokens stand where there is more than lines", () => {
  const { model, series } = state();
  assert.equal(series.layer.tokens, true);
  assert.equal(new LinesOnlyState(model).layer.tokens, false);
});

test("lines are hidden and shown again by their names", () => {
  const { model, series } = state();
  const [rain, warmth] = series.everySubject;
  series.show(rain, false, undefined);
  assert.deepEqual(model.get("channels"), ["warmth"]);
  assert.deepEqual(names(series.subjects), ["warmth", "flow", "cell 2", "flood"]);
  series.show(warmth, false, undefined);
  assert.deepEqual(model.get("channels"), []);
  series.show(warmth, true, undefined);
  series.show(rain, true, undefined);
  assert.equal(model.get("channels"), null);
  const flood = series.everySubject[4];
  series.show(flood, false, undefined);
  assert.deepEqual(model.get("hidden_tracks"), ["flood"]);
  assert.equal(series.shows(flood), false);
});

test("every example is shown with the first output, or with what is chosen", () => {
  assert.equal(state().series.subject?.name, "flow");
  assert.equal(state({ subject: "warmth" }).series.subject?.name, "warmth");
  assert.equal(state({ subject: "cell" }).series.subject?.cell, 2);
  assert.equal(state({ subject: "of another recording" }).series.subject?.name, "flow");
});

test("what a probe reads of a track stands over it", () => {
  const { model, series } = state();
  const { tracks, ...beside } = model.get("_beside");
  const read = { lstm: [{ ...tracks.lstm[0], read: "held out: AUROC 0.9" }] };
  model.set("_beside", { ...beside, tracks: read });
  const flood = series.everySubject[4];
  assert.deepEqual(
    flood.keys.map(([kind, index, layer]) => [kind, index, layer]),
    [
      ["track", 0, "lstm"],
      ["readout", 0, "lstm"],
    ],
  );
  assert.equal(flood.told, "held out: AUROC 0.9");
});

test("what a probe says of variants is told of the one shown", () => {
  const tracks = { lstm: [{ name: "flood", yes_no: false, read: { a: "R² 0.1", b: "R² 0.9" } }] };
  const { model, series } = state({
    _beside: { channels: [], outputs: [], tracks, labels: null },
    _variants: { names: ["a", "b"], check: [{}, {}], own: [{}, {}] },
    ...{ variant: "a", difference: "" },
  });
  const told = () => series.subjects.find(({ kind }) => kind === "track");
  assert.equal(told()?.told, "R² 0.1");
  assert.equal(told()?.keys.length, 2);
  model.set("variant", "b");
  assert.equal(told()?.told, "R² 0.9");
});

test("relevance of variants is each one's own, on one scale", () => {
  const [count, timesteps, channels] = [2, 3, 1];
  const placed = Int32Array.of(0, 0, -1, 0, 1, 2);
  const largest = Float32Array.of(5, 7, 5, 7);
  const doubtful = Uint8Array.of(0, 1, 1, 0);
  const rows = new Uint8Array([
    ...new Uint8Array(placed.buffer),
    ...new Uint8Array(largest.buffer),
    ...doubtful,
  ]);
  const values = Float32Array.from({ length: 2 * count * timesteps }, (_, i) => i);
  const method = { name: "sensitivity", signed: false, unit: "", largest: [7, 7] };
  const model = new FakeModel({
    _layers: [LAYER],
    _variants: { names: ["a", "b"], check: [{}, {}], own: [{}, {}] },
    ...{ layer: "lstm", signal: "hidden_state", variant: "b", difference: "" },
    _relevance: { methods: [method], variants: 2, channels, timesteps, count, whole: true },
    _relevance_rows: new DataView(rows.buffer),
    _relevance_values: new DataView(values.buffer),
  });
  const lines = new LinesOnlyState(model);
  const [a, b] = ["a", "b"].map((name) => lines.relevanceOf(name));
  assert.equal(lines.relevance, b);
  assert.deepEqual([...(a?.line(0, 1) ?? [])], [3, 4, 5]);
  assert.deepEqual([...(b?.line(0, 0) ?? [])], [6, 7, 8]);
  assert.deepEqual([a?.doubtful(0, 1), b?.doubtful(0, 1)], [true, false]);
  const of = { method: 0, channel: 0 };
  assert.deepEqual([a?.largest(of, 1), b?.largest(of, 1), b?.largest(of)], [7, 7, 7]);
  // The same objects, whichever is shown: what hangs on them stays.
  model.set("variant", "a");
  assert.equal(lines.relevance, a);
  assert.equal(lines.relevanceOf("b"), b);
  // What has not all come isn't there.
  model.values._relevance_values = new DataView(values.buffer, 0, 12);
  assert.equal(lines.relevance, undefined);
});
