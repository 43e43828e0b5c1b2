import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import {
  changeAt,
  columnBefore,
  Extent,
  explain,
  missingOf,
  roundBound,
  signalsOf,
} from "../../src/data/changes.js";
import { FakeModel, load, random } from "../load.mjs";

const { WholeSource } = await load("data/source.js");

/** tests/test_gates.py makes it from recordings of Keras layers. */
const table = JSON.parse(await readFile(new URL("../gates.json", import.meta.url), "utf-8"));

/** @typedef {import("../../src/data/layer.js").Layer} Layer */
/** @typedef {(number | null)[][]} Rows by cell and column */

/**
 * A source with these values, packed as they travel.
 * @param {Layer} layer
 * @param {Record<string, Rows>} signals
 * @param {number[]} mask
 * @param {string} initial as Python sends the states that a layer started from
 */
function sourceOf(layer, signals, mask, initial = "") {
  const values = layer.signals.flatMap((signal) => signals[signal].flat());
  const floats = Float32Array.from(values, (value) => value ?? Number.NaN);
  const masks = layer.masked ? Uint8Array.from(mask) : new Uint8Array(0);
  const model = new FakeModel({
    _layers: [layer],
    _whole: Buffer.concat([Buffer.from(floats.buffer), Buffer.from(masks.buffer)]),
    _text: { [layer.name]: { tokens: null, labels: null, initial } },
  });
  return new WholeSource(model, layer, layer.signals[0]);
}

/** @param {number} a @param {number} b @param {number} within @param {string} where */
function near(a, b, within, where) {
  assert.ok(Math.abs(a - b) <= within, `${where}: ${a} is not ${b}`);
}

const STATES = /** @type {Record<string, string>} */ ({ LSTM: "cell_state" });
const GATES = /** @type {Record<string, string>} */ ({ LSTM: "forget_gate", GRU: "update_gate" });

/**
 * Hold every change against the state that really was before.
 * @param {{layer: Layer, signals: Record<string, Rows>, mask: number[], before: Rows, initial?: string}} recorded
 * @param {string} name
 */
function check({ layer, signals, mask, before, initial }, name) {
  const { windowed } = layer;
  const source = sourceOf(layer, signals, mask, initial);
  const seen = { column: 0, initial: 0, equation: 0, nowhere: 0, padding: 0, window: 0 };
  for (let cell = 0; cell < layer.cells; cell++) {
    const read = signalsOf(source, cell);
    for (let column = 0; column < source.columns; column++) {
      const where = `${name}, cell ${cell}, column ${column}`;
      const happened = changeAt(read, column);
      assert.ok(happened);
      seen[happened.from]++;
      const state = Number(read.at(STATES[layer.kind] ?? "hidden_state", column));
      if (!mask[column]) {
        const expected = windowed ? ["window", Number.NaN] : ["padding", 0];
        assert.deepEqual([happened.from, happened.change], expected);
        continue;
      }
      const first = columnBefore(layer, cell, column) < 0;
      const gate = GATES[layer.kind];
      const share = gate ? Number(read.at(gate, column)) : 0;
      const unknown = first && !layer.initial;
      const known = gate ? !(unknown || windowed) || share >= 0.01 : !unknown;
      if (happened.from === "nowhere") {
        assert.ok(!known, where);
        assert.ok(Number.isNaN(happened.change) && Number.isNaN(happened.before));
        continue;
      }
      assert.ok(known, where);
      const truth = Number(before[cell][column]);
      // What is computed from the equation has been divided by the share.
      const within = 2e-6 / (happened.from === "equation" ? share : 1);
      near(happened.before, truth, within, where);
      near(happened.change, state - truth, within, where);
      if (gate) near(happened.keep + happened.write, happened.change, 2e-6, where);
      else assert.ok(Number.isNaN(happened.keep) && Number.isNaN(happened.write));
    }
  }
  return seen;
}

test("what was lost and what was written make the change of Keras's own states", () => {
  for (const recorded of table) {
    const { layer, name } = recorded;
    const seen = check(recorded, name);
    if (layer.windowed) assert.equal(seen.column, 0, name);
    else assert.ok(seen.column > 0, name);
    // Each example has a first timestep, which may be padding.
    if (layer.windowed) assert.ok(seen.equation > 0, name);
    else assert.ok(seen.initial > 0 && seen.nowhere === 0, name);
    assert.equal(seen.padding + seen.window > 0, layer.masked, name);
  }
  assert.deepEqual(new Set(table.map((/** @type {any} */ r) => r.layer.kind)).size, 3);
});

/** A recurrence of numbers that mean nothing, in float32 as a model computes. @param {number} seed */
function recurrence(seed) {
  const { next, integer, pick } = random(seed);
  const kind = pick(["LSTM", "GRU", "SimpleRNN"]);
  const [examples, timesteps, cells] = [integer(1, 3), integer(1, 600), integer(1, 2)];
  const names = {
    LSTM: ["hidden_state", "cell_state", "input_gate", "forget_gate", "candidate", "output_gate"],
    GRU: ["hidden_state", "update_gate", "reset_gate", "candidate"],
    SimpleRNN: ["hidden_state"],
  };
  const backwards = next() < 0.5;
  const masked = next() < 0.5;
  const columns = examples * timesteps;
  const mask = Array.from({ length: columns }, () => Number(!masked || next() < 0.8));
  /** @type {Record<string, number[][]>} */
  const signals = {};
  for (const name of names[/** @type {"GRU"} */ (kind)]) {
    signals[name] = Array.from({ length: cells }, () => new Array(columns).fill(0));
  }
  const before = Array.from({ length: cells }, () => new Array(columns).fill(0));
  const f = Math.fround;
  for (let cell = 0; cell < cells; cell++) {
    for (let example = 0; example < examples; example++) {
      let state = next() < 0.5 ? 0 : f(2 * next() - 1);
      for (let i = 0; i < timesteps; i++) {
        const column = example * timesteps + (backwards ? timesteps - 1 - i : i);
        before[cell][column] = state;
        const [keep, put] = [f(next() ** 2), f(next())];
        const candidate = f(2 * next() - 1);
        /** @type {Record<string, number>} */
        const now = { candidate, input_gate: put, output_gate: put, reset_gate: put };
        let reached = candidate;
        if (kind === "LSTM") reached = f(f(keep * state) + f(put * candidate));
        if (kind === "GRU") reached = f(f(keep * state) + f(f(1 - keep) * candidate));
        if (mask[column]) state = reached;
        Object.assign(now, { forget_gate: keep, update_gate: keep, cell_state: state });
        now.hidden_state = kind === "LSTM" ? f(put * Math.tanh(state)) : state;
        for (const name of Object.keys(signals)) signals[name][cell][column] = now[name];
      }
    }
  }
  const layer = {
    ...{ name: "layer", kind, signals: Object.keys(signals) },
    ...{ go_backwards: backwards, windowed: false },
    ...{ examples, timesteps, cells, masked, tokens: false, labels: false },
    check: { tolerance: 1e-5 },
  };
  return { layer, signals, mask, before };
}

test("so they do in any recurrence, over the ends of blocks and examples", () => {
  for (let seed = 0; seed < 60; seed++) check(recurrence(seed), `recurrence ${seed}`);
});

/**
 * One example of one cell.
 * @param {string} kind
 * @param {Record<string, number[]>} rows
 * @param {Partial<Layer>} more
 * @param {string} initial
 */
function small(kind, rows, more = {}, initial = "") {
  const signals = Object.keys(rows);
  const timesteps = rows[signals[0]].length;
  const layer = {
    ...{ name: "layer", kind, go_backwards: false, signals, examples: 1, timesteps, cells: 1 },
    ...{ masked: false, tokens: false, labels: false, windowed: false },
    check: { tolerance: 1e-5 },
    ...more,
  };
  const packed = Object.fromEntries(signals.map((signal) => [signal, [rows[signal]]]));
  const source = sourceOf(layer, packed, new Array(timesteps).fill(1), initial);
  const read = signalsOf(source, 0);
  return {
    layer,
    at: (/** @type {number} */ column, padding = false) => {
      const happened = changeAt({ ...read, padding: () => padding }, column);
      assert.ok(happened);
      return { ...happened, ...explain(read, column, happened) };
    },
  };
}

test("an LSTM's sum in words", () => {
  const { at } = small("LSTM", {
    hidden_state: [0.1, 0.1],
    cell_state: [-0.5, 0.25],
    input_gate: [0.5, 0.75],
    forget_gate: [1, 0.5],
    candidate: [-1, 0.6666666865348816],
  });
  assert.equal(
    at(1).sum,
    "Δc = (f − 1)·c₋₁ + i·g = (0.5000 − 1)·(−0.5000) + 0.7500·0.6667 = 0.2500 + 0.5000 = +0.7500",
  );
  assert.equal(at(1).note, "");
  // Zeros before the first timestep are found, not assumed.
  assert.equal(
    at(0).sum,
    "Δc = (f − 1)·c₋₁ + i·g = (1.0000 − 1)·0.0000 + 0.5000·(−1.0000) = 0.0000 − 0.5000 = −0.5000",
  );
  assert.equal(
    at(0).note,
    "c₋₁ = 0.0000 is the state before the first timestep, computed from the equation.",
  );
  const padded = at(1, true);
  assert.deepEqual([padded.sum, padded.change], ["Δc = 0", 0]);
  assert.match(padded.note, /^Padding/);
});

test("a GRU's sum in words, and what its reset gate does", () => {
  const { at } = small("GRU", {
    hidden_state: [0.5, -0.25],
    update_gate: [0.005, 0.25],
    reset_gate: [0.5, 0.125],
    candidate: [0.5, -0.5],
  });
  assert.equal(
    at(1).sum,
    "Δh = (z − 1)·h₋₁ + (1 − z)·h̃ = (0.2500 − 1)·0.5000 + (1 − 0.2500)·(−0.5000)" +
      " = −0.3750 − 0.3750 = −0.7500",
  );
  assert.equal(at(1).note, "The reset gate r = 0.1250 scales the contribution of h₋₁ to h̃.");
  const first = at(0);
  assert.equal(first.from, "nowhere");
  assert.equal(first.sum, "Δh = (z − 1)·h₋₁ + (1 − z)·h̃ = unknown, of which written +0.4975");
  assert.match(first.note, /^h₋₁, the state before the first timestep, is unknown: z is too small/);
});

test("a SimpleRNN has no parts, and no state before its first timestep", () => {
  const { at } = small("SimpleRNN", { hidden_state: [0.5, -0.25] });
  assert.equal(at(1).sum, "Δh = h − h₋₁ = −0.2500 − 0.5000 = −0.7500");
  assert.equal(at(0).sum, "Δh = h − h₋₁ is unknown");
  assert.match(at(0).note, /unknown: not recorded/);
});

test("a layer that reads backwards has its state before at the right", () => {
  const { at, layer } = small("SimpleRNN", { hidden_state: [0.5, -0.25] }, { go_backwards: true });
  assert.equal(at(0).change, 0.75);
  assert.equal(at(1).from, "nowhere");
  assert.equal(columnBefore({ ...layer, examples: 2 }, 0, 2), 3);
  assert.equal(columnBefore({ ...layer, examples: 2 }, 0, 3), -1);
});

test("what a layer started from is said, of each of its calls", () => {
  const rows = { hidden_state: [0.5, -0.25, 0.25] };
  const { at } = small("SimpleRNN", rows, { initial: "zero" });
  assert.deepEqual([at(0).from, at(0).before, at(0).change], ["initial", 0, 0.5]);
  assert.equal(at(0).note, "h₋₁ = 0.0000 is the state that the layer started from.");
  assert.equal(at(1).from, "column");
  const given = Buffer.from(Float32Array.from([0.125, 2]).buffer).toString("base64");
  const calls = { initial: /** @type {const} */ ("given"), calls: [2, 1] };
  const forward = small("SimpleRNN", rows, calls, given);
  assert.deepEqual(
    [0, 1, 2].map((t) => forward.at(t).before),
    [0.125, 0.5, 2],
  );
  assert.equal(forward.at(2).note, "h₋₁ = 2.0000 is the state that call 2 started from.");
  const backward = small("SimpleRNN", rows, { ...calls, go_backwards: true }, given);
  assert.deepEqual(
    [0, 1, 2].map((t) => backward.at(t).before),
    [-0.25, 0.125, 2],
  );
  const gated = {
    cell_state: [0.5],
    input_gate: [0.5],
    forget_gate: [0.001],
    candidate: [0.99975],
  };
  const lstm = small("LSTM", gated, { initial: "given" }, given);
  // Where the gate is too small to tell, the state before is known all the same.
  near(lstm.at(0).keep, -0.999 * 0.125, 1e-6, "keep");
  assert.equal(lstm.at(0).from, "initial");
});

test("a timestep that doesn't follow from the one before says so", () => {
  const rows = {
    hidden_state: [0.1, 0.1],
    cell_state: [0.5, 0.75],
    input_gate: [0.5, 0.5],
    forget_gate: [0.5, 0.5],
    candidate: [1, 1],
  };
  const { at } = small("LSTM", rows);
  // 0.5 · 0.5 + 0.5 is 0.75: it follows.
  assert.equal(at(1).from, "column");
  rows.cell_state[1] = 0.875;
  const windowed = small("LSTM", rows).at(1);
  assert.deepEqual([windowed.from, windowed.before, windowed.change], ["equation", 0.75, 0.125]);
  assert.match(windowed.note, /is not the one before/);
  const known = small("LSTM", rows, { windowed: true }).at(1);
  assert.deepEqual([known.from, known.before], ["equation", 0.75]);
  assert.match(known.note, /window of its own/);
  // Half precision rounds more, and the recording knows by how much.
  rows.cell_state[1] = 0.751;
  assert.equal(small("LSTM", rows).at(1).from, "equation");
  assert.equal(small("LSTM", rows, { check: { tolerance: 5e-3 } }).at(1).from, "column");
});

test("of signals that were not recorded the names are said, and what can be known is", () => {
  const only = small("LSTM", { hidden_state: [0, 0], cell_state: [0.5, 0.75] });
  assert.deepEqual(missingOf(only.layer), ["forget_gate", "input_gate", "candidate"]);
  const { change, keep, write, sum, note } = only.at(1);
  assert.deepEqual([change, keep, write], [0.25, Number.NaN, Number.NaN]);
  assert.equal(sum, "Δc = (f − 1)·c₋₁ + i·g = +0.2500");
  assert.equal(note, "Not recorded: forget gate, input gate, candidate.");

  const gates = small("LSTM", { input_gate: [0.5, 0.5], candidate: [1, -0.5] });
  assert.equal(gates.at(1).write, -0.25);
  assert.equal(gates.at(1).sum, "Δc = (f − 1)·c₋₁ + i·g = unknown, of which written −0.2500");
  assert.equal(gates.at(1).note, "Not recorded: cell state, forget gate.");

  const { sum: rest } = small("SimpleRNN", { other: [1, 2] }).at(1);
  assert.equal(rest, "Δh = h − h₋₁ is unknown");
});

test("what is no number is none, and breaks nothing", () => {
  const { at } = small("LSTM", {
    cell_state: [Number.NaN, 1, Number.POSITIVE_INFINITY, 1],
    input_gate: [0.5, 0.5, 0.5, 0.5],
    forget_gate: [0.5, 0.5, 0.5, 0.5],
    candidate: [0.5, 0.5, 0.5, Number.NaN],
  });
  assert.ok(Number.isNaN(at(0).change));
  assert.deepEqual([at(1).from, at(1).before], ["equation", 1.5]);
  assert.equal(at(2).write, 0.25);
  assert.ok(Number.isNaN(at(3).write));
});

test("of both directions side by side, the second half reads the other way", () => {
  const { layer } = small("SimpleRNN", { hidden_state: [0.5, -0.25] });
  const both = { ...layer, cells: 4, parts: ["a/forward", "a/backward"] };
  const before = (/** @type {number} */ cell) => [0, 1].map((t) => columnBefore(both, cell, t));
  assert.deepEqual([0, 1, 2, 3].map(before), [
    [-1, 0],
    [-1, 0],
    [1, -1],
    [1, -1],
  ]);
  both.go_backwards = true;
  assert.deepEqual([1, 2].map(before), [
    [1, -1],
    [-1, 0],
  ]);
});

test("what is on its way is undefined", () => {
  const { layer } = small("LSTM", { cell_state: [1, 2], forget_gate: [0, 0] });
  const signals = { layer, cell: 0, padding: () => false };
  assert.equal(changeAt({ ...signals, at: () => undefined }, 1), undefined);
  const there = (/** @type {string} */ _, /** @type {number} */ column) =>
    column === 1 ? 0.5 : undefined;
  assert.equal(changeAt({ ...signals, at: there }, 1), undefined);
});

test("a scale ends at a round number that leaves little empty", () => {
  for (const [largest, bound] of [
    ...[
      [0, 1],
      [1, 1],
      [1.0000001, 1],
      [1.01, 1.2],
      [0.93, 1],
      [0.61, 0.8],
      [0.0123, 0.015],
    ],
    ...[
      [8.1, 10],
      [99, 100],
      [1234, 1500],
      [3e-9, 3e-9],
      [Number.NaN, 1],
    ],
  ]) {
    assert.equal(roundBound(largest), bound, String(largest));
  }
  const { next } = random(3);
  for (let i = 0; i < 2000; i++) {
    const largest = 10 ** (16 * next() - 8);
    const bound = roundBound(largest);
    assert.ok(bound >= largest * (1 - 2e-6) && bound <= largest * 1.34, `${largest}: ${bound}`);
    assert.ok(String(bound).length <= 9);
  }
});

test("a gate's scale is 0 to 1 unless it was seen elsewhere", () => {
  const extent = new Extent();
  for (const value of [0.5, 1, Number.NaN, Number.POSITIVE_INFINITY]) extent.add(value);
  assert.deepEqual(extent.range(true), [0, 1]);
  assert.deepEqual(extent.range(false), [-1, 1]);
  extent.add(-0.25);
  assert.deepEqual(extent.range(true), [-1, 1]);
  extent.add(2.2);
  assert.deepEqual(extent.range(true), [-2.5, 2.5]);
});
