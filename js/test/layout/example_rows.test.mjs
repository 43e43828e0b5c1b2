import assert from "node:assert/strict";
import { test } from "node:test";
import { before as beforeTokens, wrap } from "../../src/layout/example_rows.js";
import { random } from "../load.mjs";

const before = (/** @type {string} */ label, /** @type {(string | undefined)[]} */ tokens) =>
  beforeTokens(label, tokens.length, (t) => tokens[t]);

test("a label that ends in the tokens shows them in place", () => {
  assert.equal(before("8+6=14", ["1", "4"]), "8+6=");
  assert.equal(before("1+3= 4", [" ", "4"]), "1+3=");
  assert.equal(before("14", ["1", "4"]), "");
});

test("another label stands before the tokens", () => {
  assert.equal(before("8+6=14", ["8", "+", "6"]), "8+6=14");
  assert.equal(before("review 7", ["a", "good", "film"]), "review 7");
  assert.equal(before("x", []), "x");
  assert.equal(before("x", ["", ""]), "x");
  assert.equal(before("", ["a"]), "");
});

test("a label waits for its tokens, as far as it ends in them", () => {
  assert.equal(before("8+6=14", ["1", undefined]), undefined);
  assert.equal(before("8+6=14", [undefined, "4"]), undefined);
  assert.equal(before("8+6=14", [undefined, "5"]), "8+6=14");
});

test("of many tokens no more are looked at than the label has", () => {
  let looked = 0;
  const tokenAt = () => {
    looked++;
    return "a";
  };
  assert.equal(beforeTokens("baa", 100_000, tokenAt), "baa");
  assert.ok(looked < 5);
});

test("examples wrap into as few rows as the width allows, and fit it", () => {
  const { integer } = random(1);
  for (let i = 0; i < 2000; i++) {
    const [count, width, room] = [integer(1, 500), integer(5, 400), integer(50, 2000)];
    const { across, rows, pitch } = wrap(count, width, room);
    assert.ok(across >= 1 && across <= count);
    assert.ok(across * rows >= count && across * (rows - 1) < count);
    assert.ok(pitch >= width);
    if (across > 1) assert.ok(across * pitch <= room);
    if (across < count) assert.ok((across + 1) * width > room);
  }
});

test("nothing takes no row", () => {
  assert.equal(wrap(0, 100, 500).rows, 0);
});
