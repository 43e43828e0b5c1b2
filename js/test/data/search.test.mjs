import assert from "node:assert/strict";
import { test } from "node:test";
import { Hits, hitsOf } from "../../src/data/search.js";
import { random } from "../load.mjs";

/** @param {string[]} tokens */
const plain = (tokens) => tokens.map((text) => ({ before: "", text }));
/** @param {string[]} tokens */
const apart = (tokens) => tokens.map((text, i) => ({ before: i ? " " : "", text }));

test("a text is found across tokens, capitals or not", () => {
  assert.deepEqual(hitsOf(plain([..."Alice! ALICE"]), "alice"), [
    [0, 5],
    [7, 12],
  ]);
  assert.deepEqual(hitsOf(apart(["the", "cat", "sat"]), "e C"), [[0, 2]]);
  assert.deepEqual(hitsOf(plain(["play", "ing", " chess"]), "ying c"), [[0, 3]]);
});

test("places don't overlap, and what touches no token is none", () => {
  assert.deepEqual(hitsOf(plain([..."aaaa"]), "aa"), [
    [0, 2],
    [2, 4],
  ]);
  assert.deepEqual(hitsOf(apart(["a", "b"]), " "), []);
  assert.deepEqual(hitsOf(plain(["a", "", "b"]), "ab"), [[0, 3]]);
  assert.deepEqual(hitsOf(plain([..."abc"]), ""), []);
  assert.deepEqual(hitsOf([], "a"), []);
});

test("letters whose small form is longer don't shift what comes behind", () => {
  assert.deepEqual(hitsOf(plain([..."İİx"]), "x"), [[2, 3]]);
});

test("what is found is what stands there", () => {
  const { integer, pick } = random(3);
  for (let round = 0; round < 200; round++) {
    const tokens = Array.from({ length: integer(1, 30) }, () => pick(["a", "b", "ab", "", "Ba"]));
    const query = Array.from({ length: integer(1, 3) }, () => pick(["a", "B"])).join("");
    const hits = hitsOf(plain(tokens), query);
    for (const [start, stop] of hits) {
      const text = (/** @type {number} */ from, /** @type {number} */ to) =>
        tokens.slice(from, to).join("").toLowerCase();
      assert.ok(text(start, stop).includes(query.toLowerCase()));
      assert.notEqual(tokens[start], "");
    }
    const count = tokens.join("").toLowerCase().split(query.toLowerCase()).length - 1;
    assert.equal(hits.length, count);
  }
});

test("steps go to the next place and round the ends", () => {
  const hits = new Hits("x", Uint32Array.of(3, 10, 20), Uint32Array.of(5, 11, 22));
  assert.deepEqual(
    [0, 3, 4, 10, 19, 25].map((column) => hits.next(column, 1)),
    [0, 1, 1, 2, 2, 0],
  );
  assert.deepEqual(
    [0, 3, 4, 10, 25].map((column) => hits.next(column, -1)),
    [2, 2, 0, 0, 2],
  );
  assert.deepEqual(
    [2, 3, 4, 9, 22].map((column) => hits.at(column)),
    [-1, 0, 0, 0, 2],
  );
  assert.deepEqual([...hits.bits(24)], [0b11000, 0b100, 0b110000]);
});
