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

/** Two variants, of a table that is sorted by score. */
function several(more = {}) {
  const names = { variant: ["early", "late"], layer: ["lstm"], signal: ["h"], concept: ["x", "y"] };
  // variant, layer, signal, concept, cell, score, threshold, sign, q
  const rows = [
    [1, 0, 0, 0, 3, 0.9, 0.5, 1, 0.01],
    [1, 0, 0, 1, 2, -0.8, 0.5, -1, 0.02],
    [0, 0, 0, 1, 2, -0.5, 0.5, -1, 0.3],
    [0, 0, 0, 0, 3, 0.125, 0.5, 1, 0.4],
    [1, 0, 0, 0, 1, 0.1, 0.5, 1, 0.5],
  ];
  const values = Float32Array.from(rows[0].flatMap((_, i) => rows.map((row) => row[i])));
  return new Ranking(
    new FakeModel({
      _ranking: {
        ...{ rows: rows.length, total: 90, totals: [45, 45], numbers: NUMBERS },
        ...names,
        kinds: ["yes_no", "yes_no"],
        ...more,
      },
      _ranked: new DataView(values.buffer),
    }),
  );
}

test("of variants, the rows of one are seen, in the order of the ranking", () => {
  const table = several();
  const rows = (/** @type {string} */ variant, sort = "", less = "") => [
    ...table.arrange(ALL, sort, true, { variant, less }),
  ];
  assert.deepEqual(rows("late"), [0, 1, 4]);
  assert.deepEqual(rows("early"), [2, 3]);
  assert.deepEqual(rows("none"), []);
  assert.deepEqual(table.counts("early"), { rows: 2, total: 45 });
  assert.deepEqual(five.counts(""), { rows: 5, total: 5 });
  assert.deepEqual([table.variant(3), five.variant(3)], ["early", ""]);
  assert.equal(table.csv([3]).split("\n")[0].split(",")[0], "variant");
  assert.ok(table.csv([3]).includes("early,lstm,h,x,3,"));
});

test("rows of variants are about the same", () => {
  const table = several();
  assert.equal(table.find(table.claim(0), "early"), 3);
  assert.equal(table.find(table.claim(3), "late"), 0);
  assert.equal(table.find(table.claim(4), "early"), -1);
  assert.equal(table.find("", "early"), -1);
});

test("less another variant, scores are changes, and sorted by their size", () => {
  const table = several();
  assert.equal(table.score(0, ""), Math.fround(0.9));
  assert.equal(table.score(0, "early"), Math.fround(0.9) - 0.125);
  assert.equal(table.score(0, "late"), 0);
  assert.ok(Number.isNaN(table.score(4, "early")));
  const seen = { variant: "late", less: "early" };
  assert.deepEqual([...table.arrange(ALL, "score", true, seen)], [0, 1, 4]);
  assert.deepEqual([...table.arrange(ALL, "score", false, seen)], [1, 0, 4]);
});

test("rows keep their numbers where some between them didn't travel", () => {
  const table = several({ at: [2, 5, 7, 11, 30], reason: ["", "slow"], reasons: [0, 0, 1, 0, 0] });
  assert.deepEqual([...table.arrange(ALL, "", true, { variant: "early", less: "" })], [7, 11]);
  assert.equal(table.number("cell", 11), 3);
  assert.equal(table.reason(7), "slow");
  assert.equal(table.find(table.claim(2), "early"), 11);
  assert.deepEqual([table.here(7), table.here(3), table.here(-1)], [true, false, false]);
  const found = table.arrange({ ...ALL, find: "slow" }, "", true, { variant: "early", less: "" });
  assert.deepEqual([...found], [7]);
});
