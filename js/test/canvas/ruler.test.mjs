// As much of a text as there is room for.

import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "../load.mjs";

/** @type {typeof import("../../src/canvas/ruler.js")} */
const { cut } = await load("canvas/ruler.js");

/** Ten pixels a character. @param {string} text */
const measure = (text) => 10 * [...text].length;

test("what fits stays, half a pixel too much included", () => {
  assert.equal(cut("abc", 30, measure), "abc");
  assert.equal(cut("abc", 29.5, measure), "abc");
  assert.equal(cut("", 0, measure), "");
});

test("of the rest, the beginning is shown, and that there is more", () => {
  assert.equal(cut("abcdef", 40, measure), "abc…");
  assert.equal(cut("abcdef", 29, measure), "a…");
  assert.equal(cut("ab cdef", 40, measure), "ab…");
  assert.equal(cut("abcdef", 5, measure), "…");
  assert.equal(cut("a".repeat(100_000), 50, measure), "aaaa…");
});

test("a character stays whole", () => {
  assert.equal(cut("👩‍🔬👩‍🔬x", 40, measure), "👩‍🔬…");
  assert.equal(cut("é", 5, measure), "é");
});
