import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { Spelling } from "../../src/data/spelling.js";

/** tests/test_spelling.py holds Python against the same table. */
const table = JSON.parse(await readFile(new URL("../spelling.json", import.meta.url), "utf-8"));

for (const { name, tokens, kind, text, texts, begins, ends } of table) {
  test(`tokens say what they say in Python: ${name}`, () => {
    const spelling = new Spelling(kind);
    const each = (/** @type {(token: string) => unknown} */ of) => tokens.map(of);
    assert.deepEqual(
      each((token) => spelling.text(token)),
      texts,
    );
    assert.deepEqual(
      each((token) => spelling.begins(token)),
      begins,
    );
    assert.deepEqual(
      each((token) => spelling.ends(token)),
      ends,
    );
    const pieces = spelling.pieces(tokens);
    assert.equal(pieces.map((piece) => piece.before + piece.text).join(""), text);
  });
}

test("in a column a token has no space around it, unless it is nothing else", () => {
  const spelling = new Spelling("Ġ");
  assert.deepEqual(
    ["Ġthe", "Ġ", "Ċ", "re"].map((token) => spelling.label(token)),
    ["the", "·", "⏎", "re"],
  );
  assert.equal(new Spelling("##").label("##ing"), "ing");
  assert.equal(new Spelling("▁").label("▁<b>"), "<b>");
});

test("by itself a token tells whether it begins a word", () => {
  assert.equal(new Spelling("##").alone("##ing"), "##ing");
  assert.equal(new Spelling("Ġ").alone("Ġthe"), " the");
  assert.equal(new Spelling().alone("a"), "a");
});
