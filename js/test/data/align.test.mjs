import assert from "node:assert/strict";
import { test } from "node:test";
import { shownToken } from "../../src/data/align.js";

const source = /** @type {any} */ ({
  layer: { timesteps: 3 },
  token: (/** @type {number} */ column) => "abcdef"[column],
});
const row = (/** @type {string} */ align) =>
  Array.from({ length: 6 }, (_, column) => shownToken(source, column, align));

test("read-aligned, a value stands on the token of its timestep", () => {
  assert.deepEqual(row("read"), ["a", "b", "c", "d", "e", "f"]);
});

test("predict-aligned, it stands on the one that follows in the same example", () => {
  assert.deepEqual(row("predict"), ["b", "c", undefined, "e", "f", undefined]);
});
