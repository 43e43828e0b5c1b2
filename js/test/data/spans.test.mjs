import assert from "node:assert/strict";
import { test } from "node:test";
import { load, random } from "../load.mjs";

/** @type {typeof import("../../src/data/spans.js")} */
const { bitsOf, lengthOf, spansOf } = await load("data/spans.js");

test("spans end with an example, and mark what they were made of", () => {
  assert.deepEqual(spansOf([2, 3, 4, 5, 9], 5), [
    [0, 2, 5],
    [1, 0, 1],
    [1, 4, 5],
  ]);
  const { next } = random(6);
  const columns = Array.from({ length: 60 }, (_, i) => i).filter(() => next() < 0.4);
  const spans = spansOf(columns, 12);
  const bits = bitsOf(spans, { examples: 5, timesteps: 12 });
  const marked = Array.from({ length: 60 }, (_, i) => i).filter(
    (i) => (bits[i >> 3] >> (i & 7)) & 1,
  );
  assert.deepEqual(marked, columns);
  assert.equal(lengthOf(spans), columns.length);
});

test("spans that a layer hasn't are left out", () => {
  const bits = bitsOf(
    [
      [0, 1, 2],
      [0, 3, 9],
      [4, 0, 1],
    ],
    { examples: 2, timesteps: 4 },
  );
  assert.deepEqual([...bits], [2]);
});
