import assert from "node:assert/strict";
import { test } from "node:test";
import { Ranking } from "../../src/data/ranking.js";
import { FakeModel, random } from "../load.mjs";

const nan = Number.NaN;
const NUMBERS = ["cell", "score", "threshold", "sign", "q_value"];
const ALL = { find: "", layer: "", signal: "", concept: "" };

/**
 * @param {any[][]} rows layer, signal, concept, then numbers
 * @param {number} total
 * @param {Record<string, unknown>} more
 */
function ranking(rows, total = rows.length, more = {}) {
  const names = ["layer", "signal", "concept"].map((_, i) => [...new Set(rows.map((r) => r[i]))]);
  const columns = rows.map((r) => [...names.map((all, i) => all.indexOf(r[i])), ...r.slice(3)]);
  const values = Float32Array.from(
    columns.length ? columns[0].flatMap((_, i) => columns.map((c) => c[i])) : [],
  );
  return new Ranking(
    new FakeModel({
      _ranking: {
        rows: rows.length,
        total,
        numbers: NUMBERS,
        layer: names[0],
        signal: names[1],
        concept: names[2],
        kinds: names[2].map((name) => (name.includes("length") ? "numeric" : "yes_no")),
        ...more,
      },
      _ranked: new DataView(values.buffer),
    }),
  );
}

const five = ranking([
  ["lstm", "hidden_state", "inside quotes", 22, -0.9, -0.5, -1, 0.01],
  ["lstm", "cell_state", "line length", 7, 0.8, nan, 1, 0.02],
  ["dense_lstm", "hidden_state", "vowel", 2, 0.8, 0.25, -1, nan],
  ["lstm", "hidden_state", "Vowel <b>", 122, nan, 0.75, 1, 0.5],
  ["dense_lstm", "hidden_state", "line length", 3, 0.1, nan, 1, 0.02],
]);

test("rows are read by name", () => {
  assert.equal(five.rows, 5);
  assert.equal(five.text("layer", 2), "dense_lstm");
  assert.equal(five.text("concept", 3), "Vowel <b>");
  assert.equal(five.number("cell", 3), 122);
  assert.ok(Number.isNaN(five.number("colour", 3)));
  assert.deepEqual(
    [0, 1, 2, 3, 4].map((row) => five.numeric(row)),
    [false, true, false, false, true],
  );
});

test("a threshold is the slider's where it asks for the size of a value", () => {
  assert.deepEqual(
    [0, 1, 2, 3].map((row) => five.threshold(row)),
    [0.5, undefined, undefined, 0.75],
  );
});

test("columns are sorted both ways, what has no value last, equal ones in order", () => {
  const order = (/** @type {string} */ sort, /** @type {boolean} */ falling) => [
    ...five.arrange(ALL, sort, falling),
  ];
  assert.deepEqual(order("", true), [0, 1, 2, 3, 4]);
  assert.deepEqual(order("score", true), [0, 1, 2, 4, 3]); // by size
  assert.deepEqual(order("score", false), [4, 1, 2, 0, 3]);
  assert.deepEqual(order("q_value", false), [0, 1, 4, 3, 2]);
  assert.deepEqual(order("cell", true), [3, 0, 1, 4, 2]);
  assert.deepEqual(order("concept", false), [3, 0, 1, 4, 2]);
});

test("rows are found by words, names and q", () => {
  const found = (/** @type {object} */ filter) => [
    ...five.arrange({ ...ALL, ...filter }, "", true),
  ];
  assert.deepEqual(found({ find: "vowel" }), [2, 3]);
  assert.deepEqual(found({ find: "  DENSE line" }), [4]);
  assert.deepEqual(found({ find: "22" }), [0]); // a cell is its whole number
  assert.deepEqual(found({ find: "<b>" }), [3]);
  assert.deepEqual(found({ find: "none" }), []);
  assert.deepEqual(found({ layer: "lstm", signal: "hidden_state" }), [0, 3]);
  assert.deepEqual(found({ concept: "line length" }), [1, 4]);
  assert.deepEqual(found({ below: 0.02 }), [0]); // not what has none
  assert.deepEqual(found({ below: 0.03, concept: "line length" }), [1, 4]);
});

test("any filter and order is that of a plain loop", () => {
  const { integer, pick } = random(5);
  for (let i = 0; i < 60; i++) {
    const rows = Array.from({ length: integer(0, 40) }, () => [
      pick(["a", "b"]),
      "h",
      pick(["x", "y", "z"]),
      integer(0, 9),
      pick([nan, -0.5, 0.25, 0.5]),
      0.5,
      1,
      pick([nan, 0.125, 0.25, 0.75]),
    ]);
    const filter = {
      ...ALL,
      layer: pick(["", "a"]),
      concept: pick(["", "x"]),
      below: pick([undefined, 0.5]),
    };
    const falling = pick([true, false]);
    const kept = rows
      .map((row, at) => ({ row, at, q: Number(row[7]) }))
      .filter(
        ({ row, q }) =>
          (!filter.layer || row[0] === filter.layer) &&
          (!filter.concept || row[2] === filter.concept) &&
          (filter.below === undefined || q < filter.below),
      );
    const known = kept.filter(({ q }) => !Number.isNaN(q));
    known.sort((a, b) => (falling ? b.q - a.q : a.q - b.q) || a.at - b.at);
    const expected = [...known, ...kept.filter(({ q }) => Number.isNaN(q))].map(({ at }) => at);
    assert.deepEqual([...ranking(rows).arrange(filter, "q_value", falling)], expected);
  }
});

test("a row has its reason, which can be searched for; an older ranking has none", () => {
  const rows = [
    ["lstm", "hidden_state", "season", 1, 0.9, nan, 1, nan],
    ["lstm", "hidden_state", "vowel", 2, 0.8, nan, 1, 0.01],
    ["lstm", "hidden_state", "season", 3, 0.1, nan, 1, nan],
  ];
  const told = ranking(rows, 3, {
    reason: ["3 cycles only", ""],
    reasons: [0, 1, 0],
    windows: ["9 of 9 examples are windows"],
  });
  assert.deepEqual([told.reason(0), told.reason(1)], ["3 cycles only", ""]);
  assert.deepEqual([...told.arrange({ ...ALL, find: "cycles" }, "", true)], [0, 2]);
  assert.deepEqual(told.windows, ["9 of 9 examples are windows"]);
  assert.deepEqual([five.reason(0), five.windows], ["", []]);
});
