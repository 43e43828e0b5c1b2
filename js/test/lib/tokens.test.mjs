import assert from "node:assert/strict";
import { test } from "node:test";
import { charactersOf, firstOf, named, quoted, visible } from "../../src/lib/tokens.js";
import { number, short, shortRange, stepped } from "../../src/lib/wording.js";

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
  for (const text of [
    "<b>",
    "</script>",
    "&lt;",
    "<img src=x onerror=alert(1)>",
    "$\u007bx}",
    "`",
  ]) {
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

/** Code points that are seen nowhere, not even as a gap, or that would break or turn a sentence. */
const UNSEEN = [
  ...[
    0x80, 0x85, 0xad, 0x34f, 0x61c, 0x115f, 0x180e, 0x200b, 0x200c, 0x200d, 0x200e, 0x200f, 0x2028,
  ],
  ...[
    0x2029, 0x202a, 0x202e, 0x2060, 0x2066, 0x2069, 0x3164, 0xfe0f, 0xfeff, 0xfffe, 0xffff, 0x1fffe,
  ],
  ...[0x378, 0xe0001, 0xe0041, 0x10ffff],
];
const hex = (/** @type {number} */ code) => code.toString(16).toUpperCase().padStart(4, "0");

test("in a sentence each unseen character has its number", () => {
  for (const code of UNSEEN) {
    const character = String.fromCodePoint(code);
    assert.equal(visible(character), "◌", hex(code));
    assert.equal(quoted(character), `'U+${hex(code)}'`);
    assert.equal(named(character.repeat(2)), `⟨U+${hex(code)}⟩`.repeat(2));
  }
});

test("other spaces are told apart from the space, alone", () => {
  assert.equal(quoted("\u2003"), "'U+2003'");
  assert.equal(quoted("\u3000"), "'U+3000'");
  assert.equal(visible("\u3000"), "◌");
  assert.equal(quoted("日\u3000本"), "'日\u3000本'");
  assert.equal(quoted("  "), "'  '");
  assert.equal(visible("  "), "  ");
  assert.equal(quoted(" \u200b"), "' ⟨U+200B⟩'");
});

test("in a sentence tokens that look alike are told apart", () => {
  assert.equal(quoted("a\u200bb"), "'a⟨U+200B⟩b'");
  assert.equal(quoted("\ufeffa"), "'⟨U+FEFF⟩a'");
  assert.equal(quoted("a\u202eb"), "'a⟨U+202E⟩b'");
  assert.equal(quoted("a\u2028b"), "'a⟨U+2028⟩b'");
  // Of a private area, or half of a pair: all are drawn as the same box.
  assert.equal(quoted("\ue000"), "'U+E000'");
  assert.equal(quoted("\ud800"), "'U+D800'");
  assert.equal(visible("\ue000"), "\ue000");
});

test("in a sentence what is read stays as it is", () => {
  const words = [
    "a",
    "don't",
    "é",
    "e\u0301",
    "日本",
    "नमस्ते",
    "می\u200cخواهم",
    "שלום",
    "👩‍🔬",
    "❤️",
    "🏳️‍🌈",
    "🇩🇪",
  ];
  for (const word of [...words, "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}"]) {
    assert.equal(named(word), word);
  }
  assert.equal(quoted("\u0301"), "'◌\u0301'");
});

test("a text is cut between what a reader counts as characters", () => {
  assert.equal(firstOf("cat", 2), "ca");
  assert.equal(firstOf("cat", 3), "cat");
  assert.equal(firstOf("cat", 9), "cat");
  assert.equal(firstOf(visible("\u0301"), 1), "◌\u0301");
  assert.equal(firstOf("e\u0301e\u0301", 1), "e\u0301");
  assert.equal(firstOf("👩‍🔬🇩🇪🙂", 2), "👩‍🔬🇩🇪");
  assert.equal(firstOf("", 0), "");
  const text = "a👨‍👩‍👧‍👦e\u0301🙂本👍🏽z";
  for (let count = 0; count < 9; count++) {
    assert.equal(firstOf(text, count), charactersOf(text).slice(0, count).join(""));
  }
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

test("where there is little room, ends of a range have as many decimals as three digits of it take", () => {
  assert.deepEqual(shortRange(3.7e-9, 41.5809), ["0", "41.6"]);
  assert.deepEqual(shortRange(-9.2, 24.133), ["−9.2", "24.1"]);
  assert.deepEqual(shortRange(-1e-9, 1), ["0", "1"]);
  assert.deepEqual(shortRange(-0.9016, 0.9016, true), ["−0.902", "+0.902"]);
  assert.deepEqual(shortRange(1013.21, 1013.94), ["1013.21", "1013.94"]);
  assert.deepEqual(shortRange(4.4, 41580.9), ["4", "41581"]);
  assert.deepEqual(shortRange(-7.25e-8, 3.7e-9), ["−7.25e−8", "3.7e−9"]);
  assert.deepEqual(shortRange(0.4, 2512345), ["0", "2.51e+6"]);
  assert.deepEqual(shortRange(0, 0), ["0", "0"]);
  assert.equal(short(41580.9), "41600");
  assert.equal(short(-2512345), "−2.51e+6");
  assert.equal(short(0.000123456, true), "+0.000123");
});

test("a number that is known in steps has no finer digits", () => {
  /** @type {[number, number, string][]} The same as in tests/test_still.py. */
  const cases = [
    [8.0781, 0.6, "8.1"],
    [-0.04, 0.6, "0.0"],
    [-3.2159, 0.02, "−3.22"],
    [5, 0, "5.0000"],
    [787401.6, 7874, "787000"],
    [101325.3937, 0.004, "101325.394"],
    [3.937e-6, 4e-8, "3.937e−6"],
    [-2500, 1000, "−2000"],
    [2500, 1000, "3000"],
  ];
  for (const [value, step, text] of cases) assert.equal(stepped(value, step), text);
});
