// As much of a text as there is room for.

import assert from "node:assert/strict";
import { test } from "node:test";
import { load, random } from "../load.mjs";

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

test("no longer beginning would fit", () => {
  const dice = random(12);
  /** Of different widths. @param {string} text */
  const uneven = (text) =>
    [...text].reduce((sum, c) => sum + (c === "…" ? 9 : 3 + (c.charCodeAt(0) % 8)), 0);
  for (let round = 0; round < 200; round++) {
    const text = Array.from({ length: dice.integer(2, 40) }, () =>
      dice.pick([..."abcdefghij"]),
    ).join("");
    const room = dice.integer(9, 200);
    const shown = cut(text, room, uneven);
    if (shown === text) assert.ok(uneven(text) <= room + 0.5);
    else {
      const count = shown.length - 1;
      assert.equal(shown, `${text.slice(0, count)}…`);
      assert.ok(uneven(text) > room + 0.5 && uneven(shown) <= room + 0.5);
      assert.ok(count + 1 === text.length || uneven(`${text.slice(0, count + 1)}…`) > room + 0.5);
    }
  }
});

test("a character stays whole", () => {
  assert.equal(cut("👩‍🔬👩‍🔬x", 40, measure), "👩‍🔬…");
  assert.equal(cut("é", 5, measure), "é");
});
