import assert from "node:assert/strict";
import { test } from "node:test";
import { correlations, halfBelow, orderCells } from "../../src/data/order.js";
import { random } from "../load.mjs";

const nan = Number.NaN;

/** @param {Partial<Parameters<typeof orderCells>[0]>} options */
function order(options) {
  const meanMagnitude = Float32Array.of(0.5, 0.25, 0.75, nan, 0.5);
  const variance = Float32Array.of(nan, 4, 1, 9, 1);
  const defaults = { cells: 5, sort: "index", similarity: undefined, quietBelow: undefined };
  return [...orderCells({ ...defaults, meanMagnitude, variance, ...options })];
}

test("by index, cells stand as they are", () => {
  assert.deepEqual(order({}), [0, 1, 2, 3, 4]);
});

test("by a statistic they fall, equal ones stay in order, NaN comes last", () => {
  assert.deepEqual(order({ sort: "mean_magnitude" }), [2, 0, 4, 1, 3]);
  assert.deepEqual(order({ sort: "variance" }), [3, 1, 2, 4, 0]);
});

test("by similarity, as soon as it is known", () => {
  const similarity = Float32Array.of(-1, 1, nan, 0.5, 0.5);
  assert.deepEqual(order({ sort: "similarity", similarity }), [1, 3, 4, 0, 2]);
  assert.deepEqual(order({ sort: "similarity" }), [0, 1, 2, 3, 4]);
});

test("as given, and those that aren't given follow", () => {
  assert.deepEqual(order({ sort: "order", given: [3, 1] }), [3, 1, 0, 2, 4]);
  assert.deepEqual(order({ sort: "order" }), [0, 1, 2, 3, 4]);
  assert.deepEqual(order({ sort: "order", given: [9, 4], quietBelow: 0.5 }), [4, 0, 2, 3]);
});

test("an infinite statistic comes first", () => {
  const meanMagnitude = Float32Array.of(1, Number.POSITIVE_INFINITY, nan, 2, 3);
  assert.deepEqual(order({ sort: "mean_magnitude", meanMagnitude }), [1, 4, 3, 0, 2]);
});

test("quiet cells are those below the threshold, and never one that is NaN", () => {
  assert.deepEqual(order({ quietBelow: 0.5 }), [0, 2, 3, 4]);
  assert.deepEqual(order({ quietBelow: 0 }), [0, 1, 2, 3, 4]);
  assert.deepEqual(order({ quietBelow: 9 }), [3]);
  assert.deepEqual(order({ quietBelow: 0.5, sort: "mean_magnitude" }), [2, 0, 4, 3]);
});

test("a threshold that suits leaves about half of the cells, and has two digits", () => {
  const { integer, next } = random(5);
  for (let round = 0; round < 200; round++) {
    const size = 10 ** integer(-6, 6);
    const means = Float32Array.from({ length: integer(1, 300) }, () => (next() + 0.01) * size);
    const threshold = halfBelow(means);
    const left = means.filter((mean) => mean >= threshold).length;
    assert.ok(left >= means.length / 2, `${left} of ${means.length}`);
    assert.equal(threshold, Number(threshold.toPrecision(2)));
    // Rounding down takes a tenth at most.
    const sorted = [...means].sort((a, b) => a - b);
    assert.ok(threshold > 0.9 * sorted[Math.floor(means.length / 2)]);
  }
});

test("where all is zero or no number, no threshold suits", () => {
  assert.equal(halfBelow(Float32Array.of(0, 0, Number.NaN)), 0);
  assert.equal(halfBelow(new Float32Array(0)), 0);
  assert.equal(halfBelow(Float32Array.of(Number.NaN, 0.5, Infinity)), 0.5);
});

test("an order is a permutation of all cells", () => {
  const { next, integer, pick } = random(1);
  for (let i = 0; i < 200; i++) {
    const cells = integer(0, 50);
    const numbers = () => Float32Array.from({ length: cells }, () => pick([next(), 0.5, nan, -1]));
    const found = orderCells({
      cells,
      sort: pick(["index", "mean_magnitude", "variance", "similarity"]),
      meanMagnitude: numbers(),
      variance: numbers(),
      similarity: numbers(),
      quietBelow: undefined,
    });
    const indices = Array.from({ length: cells }, (_, cell) => cell);
    assert.deepEqual(
      [...found].sort((a, b) => a - b),
      indices,
    );
  }
});

const everything = () => true;

test("correlation by hand", () => {
  const rows = [
    [1, 2, 3, 4],
    [2, 4, 6, 8],
    [4, 3, 2, 1],
    [1, -1, -1, 1],
    [0.1, 0.1, 0.1, 0.1],
    [1, nan, 3, 4],
    [0, 0, 0, 1],
  ].map((row) => Float32Array.from(row));
  const found = correlations(rows, 0, everything);
  const expected = [1, 1, -1, 0, nan, nan, 1.5 / Math.sqrt(5 * 0.75)];
  found.forEach((value, i) => {
    if (Number.isNaN(expected[i])) assert.ok(Number.isNaN(value));
    else assert.ok(Math.abs(value - expected[i]) < 1e-6);
  });
});

test("a cell that never changes is like no other, and none like it", () => {
  const rows = [
    new Float32Array(1000).fill(0.1),
    Float32Array.from({ length: 1000 }, (_, i) => Math.sin(i)),
  ];
  assert.deepEqual([...correlations(rows, 0, everything)], [nan, nan]);
  const [constant, itself] = correlations(rows, 1, everything);
  assert.ok(Number.isNaN(constant));
  assert.ok(Math.abs(itself - 1) < 1e-6);
});

test("padding counts for nothing", () => {
  const rows = [Float32Array.of(9, 1, 2, 3), Float32Array.of(nan, 1, 2, 3)];
  const found = correlations(rows, 0, (column) => column > 0);
  assert.ok(Math.abs(found[1] - 1) < 1e-6);
  assert.deepEqual([...correlations(rows, 0, () => false)], [nan, nan]);
});

test("no rows and no columns have no correlation", () => {
  assert.deepEqual([...correlations([new Float32Array(0)], 0, everything)], [nan]);
});
