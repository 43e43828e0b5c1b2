import assert from "node:assert/strict";
import { test } from "node:test";
import { extentOf, POOLED, TILE, topLevel, WholeLine } from "../../src/data/levels.js";
import { random } from "../load.mjs";

/** The lowest and the highest of what there is, found one after the other. @param {ArrayLike<number>} values */
function ends(values) {
  const there = Array.from(values).filter((value) => !Number.isNaN(value));
  return there.length ? [Math.min(...there), Math.max(...there)] : [NaN, NaN];
}

test("a level has the lowest and the highest of each run, and a gap only where all are missing", () => {
  const { next, integer } = random(3);
  for (let round = 0; round < 60; round++) {
    const values = Float32Array.from({ length: integer(0, 300) }, () =>
      next() < 0.3 ? NaN : next() * 20 - 10,
    );
    const line = new WholeLine(values);
    for (let level = 0; level < 5; level++) {
      const size = POOLED ** level;
      const { low, high } = line.level(level);
      assert.equal(low.length, Math.ceil(values.length / size));
      for (let run = 0; run < low.length; run++) {
        const expected = ends(values.subarray(run * size, (run + 1) * size));
        assert.deepEqual([low[run], high[run]], expected);
      }
    }
  }
});

test("no level loses a spike", () => {
  const values = new Float32Array(100_000);
  values[77_777] = 5;
  const line = new WholeLine(values);
  for (let level = 0; level <= topLevel(values.length); level++) {
    const { high } = line.level(level);
    assert.equal(high[Math.floor(77_777 / POOLED ** level)], 5);
    assert.equal(Math.max(...high), 5);
  }
});

test("the top is the first level that is one tile", () => {
  assert.deepEqual([0, 1, TILE].map(topLevel), [0, 0, 0]);
  assert.deepEqual([TILE + 1, POOLED * TILE, POOLED * TILE + 1].map(topLevel), [1, 1, 2]);
});

test("the extent is that of finite values", () => {
  const of = (/** @type {number[]} */ ...values) =>
    extentOf(new WholeLine(Float32Array.from(values)).level(0));
  assert.deepEqual(of(NaN, 3, -Infinity, -2, Infinity), [-2, 3]);
  assert.equal(of(NaN, Infinity), undefined);
  assert.equal(of(), undefined);
});
