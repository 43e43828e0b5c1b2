import assert from "node:assert/strict";
import { test } from "node:test";
import { number, quoted, visible } from "../src/core/tokens.js";

const LRO_TO_RLO = ["\u202a", "\u202b", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068"];

test("what is read stays as it is", () => {
  const words = ["a", "Alice", "don't", "é", "e\u0301", "Δc", "日本", "the cat", "0.5", "##ing"];
  for (const word of words) assert.equal(visible(word), word);
});

test("emoji stay whole, those joined of several too", () => {
  for (const emoji of ["🙂", "👩‍🔬", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪", "👍🏽", "❤️"]) {
    assert.equal(visible(emoji), emoji);
  }
});

test("white space alone is a mark", () => {
  assert.equal(visible(" "), "·");
  assert.equal(visible("\n"), "⏎");
  assert.equal(visible("\r"), "␍");
  assert.equal(visible("\t"), "⇥");
  assert.equal(visible("\u00a0"), "⍽");
  assert.equal(visible(""), "∅");
});

test("white space in a token is a mark, but for a space", () => {
  assert.equal(visible("\n\n"), "⏎⏎");
  assert.equal(visible("a\tb"), "a⇥b");
  assert.equal(visible("\r\n"), "␍⏎");
  assert.equal(visible(" the"), " the");
});

test("every control character is a picture of its own", () => {
  const seen = new Set();
  for (let code = 0; code < 32; code++) {
    const shown = visible(String.fromCharCode(code));
    assert.equal([...shown].length, 1);
    assert.ok((shown.codePointAt(0) ?? 0) > 127);
    seen.add(shown);
    assert.equal(visible(`a${String.fromCharCode(code)}b`), `a${shown}b`);
  }
  seen.add(visible("\x7f"));
  assert.equal(seen.size, 33);
});

test("a zero-width character alone is seen", () => {
  for (const unseen of ["\u200b", "\u200c", "\u200d", "\u200e", "\ufeff", "\u00ad", "\u2060"]) {
    assert.equal(visible(unseen), "◌");
  }
});

test("an accent without its letter is seen", () => {
  assert.equal(visible("\u0301"), "◌\u0301");
  assert.equal(visible("\u093e"), "◌\u093e");
});

test("a direction mark alone does not act on the text around it", () => {
  for (const mark of LRO_TO_RLO) assert.equal(visible(mark), "◌");
});

test("a direction mark inside a token does not act on the text around it", () => {
  for (const mark of LRO_TO_RLO) {
    const shown = visible(`a${mark}b`);
    assert.ok(!shown.includes(mark), `U+${mark.charCodeAt(0).toString(16)} stays`);
    assert.ok(shown.startsWith("a") && shown.endsWith("b"));
  }
});

test("markup stays the text that it is", () => {
  for (const text of ["<b>", "</script>", "&lt;", "<img src=x onerror=alert(1)>", "${x}", "`"]) {
    assert.equal(visible(text), text);
    assert.equal(quoted(text), `'${text}'`);
  }
});

test("half a surrogate pair stops nothing", () => {
  assert.equal(typeof visible("\ud800"), "string");
  assert.equal(typeof visible("a\udc00b"), "string");
});

test("in a sentence a token stands between quotes", () => {
  assert.equal(quoted("cat"), "'cat'");
  assert.equal(quoted(" "), "' '");
  assert.equal(quoted("\n"), "'⏎'");
});

test("a number has four decimals, or four digits where that would say nothing", () => {
  assert.equal(number(0), "0.0000");
  assert.equal(number(-0), "0.0000");
  assert.equal(number(0.5), "0.5000");
  assert.equal(number(-0.12345), "−0.1235");
  assert.equal(number(1234.5), "1234.5000");
  assert.equal(number(0.000123456), "1.235e−4");
  assert.equal(number(-1234567), "−1.235e+6");
  assert.equal(number(-0.000123456), "−1.235e−4");
  assert.equal(number(Number.NaN), "NaN");
  assert.equal(number(Number.POSITIVE_INFINITY), "∞");
  assert.equal(number(Number.NEGATIVE_INFINITY), "−∞");
});
