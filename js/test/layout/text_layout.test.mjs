import assert from "node:assert/strict";
import { test } from "node:test";
import { Passage } from "../../src/data/passage.js";
import { Spelling } from "../../src/data/spelling.js";
import { TextLayout } from "../../src/layout/text_layout.js";
import { written } from "../../src/lib/tokens.js";
import { random } from "../load.mjs";

/** Ten pixels a character. */
const STYLE = {
  width: 200,
  character: 10,
  least: 10,
  measure: (/** @type {string} */ text) => 10 * [...text].length,
  marks: false,
  spelling: new Spelling(),
  after: false,
};

const WORDS = new Spelling("words");

/** @param {string[]} tokens */
function passageOf(tokens) {
  const passage = new Passage(tokens.length);
  passage.add(tokens);
  return passage;
}

/** @param {string[]} tokens @param {Partial<import("../../src/layout/text_layout.js").Style>} more */
function lay(tokens, more = {}) {
  const layout = new TextLayout(passageOf(tokens), { ...STYLE, ...more });
  const lines = Array.from({ length: layout.lines }, (_, line) =>
    tokens.slice(layout.starts[line], layout.end(line)).join(""),
  );
  return { layout, lines };
}

// -- which tokens are here -----------------------------------------------------------------------

test("a passage gives back the tokens that were put in, in pieces of any kind", () => {
  const { integer, pick, next } = random(3);
  const tokens = Array.from({ length: 500 }, () => pick([..."abcdefgh \n", "the", ""]));
  const passage = new Passage(tokens.length);
  for (let start = 0; start < tokens.length; ) {
    const piece = tokens.slice(start, start + integer(1, 90));
    if (next() < 0.5) passage.add(piece);
    else {
      const table = [...new Set(piece)];
      passage.addCoded(
        table,
        Uint32Array.from(piece, (token) => table.indexOf(token)),
      );
    }
    assert.equal(passage.token(start), tokens[start]);
    start += piece.length;
    assert.equal(passage.known, start);
    if (start < tokens.length) assert.equal(passage.token(start), undefined);
  }
  assert.deepEqual(
    tokens.map((_, i) => passage.token(i)),
    tokens,
  );
  assert.equal(new Set(passage.table).size, passage.table.length);
});

test("timesteps without tokens are blanks", () => {
  const { known, codes, table } = Passage.blank(7);
  assert.deepEqual([known, codes.length, table], [7, 7, [" "]]);
});

// -- lines ---------------------------------------------------------------------------------------

test("lines end at newlines as written, and otherwise after white space", () => {
  const { lines } = lay([..."one two three four five\n\nsix seven\n"]);
  assert.deepEqual(lines, ["one two three four ", "five\n", "\n", "six seven\n"]);
});

test("a word that is longer than a line is broken", () => {
  const { lines } = lay([...`ab ${"x".repeat(45)} cd`]);
  assert.deepEqual(lines, ["ab ", "x".repeat(19), "x".repeat(19), "xxxxxxx cd"]);
});

test("a line may begin with a token that brings its white space", () => {
  const { lines } = lay(["one", " two", " three", " four", " five", " six"]);
  assert.deepEqual(lines, ["one two three four", " five six"]);
});

test("scripts without spaces are wrapped anywhere", () => {
  const { lines } = lay([..."日本語".repeat(10)]);
  assert.deepEqual(
    lines.map((line) => line.length),
    [19, 11],
  );
});

test("tabs lead to tab stops, but for marked ones", () => {
  const { layout } = lay([..."ab\tc"]);
  assert.deepEqual([...layout.left], [0, 10, 20, 80]);
  const { layout: marked } = lay([..."ab\tc"], { marks: true });
  assert.deepEqual([...marked.left], [0, 10, 20, 30]);
});

test("words stand apart", () => {
  const { layout, lines } = lay(["one", "two", "three", "four"], { spelling: WORDS });
  assert.deepEqual([...layout.left], [0, 44, 88, 0]);
  assert.deepEqual([...layout.widths], [34, 34, 54, 44]);
  assert.equal(lines.length, 2);
});

test("the box after the last token is there on demand", () => {
  assert.equal(lay([..."ab"]).layout.count, 2);
  const { layout } = lay([..."ab\n"], { after: true });
  assert.deepEqual([layout.count, layout.lines, layout.lineOf(3)], [4, 2, 1]);
});

test("nothing has one empty line, and is asked all the same", () => {
  const { layout } = lay([]);
  assert.deepEqual([layout.lines, layout.count, layout.at(0, 3)], [1, 0, -1]);
});

test("whatever is written, boxes are in order, inside, and found where they are", () => {
  const { next, integer, pick } = random(11);
  for (let round = 0; round < 60; round++) {
    const some = [
      ..."abcdefg hij  kl\n\t",
      "word",
      " the",
      "ing ",
      "日",
      "",
      "x".repeat(70),
      "\n\n",
    ];
    const tokens = Array.from({ length: integer(0, 300) }, () => pick(some));
    const width = integer(30, 400);
    const kind = pick(/** @type {const} */ (["characters", "pieces", "words"]));
    const spelling = new Spelling(kind);
    const more = { width, marks: next() < 0.5, spelling, after: next() < 0.5 };
    const { layout } = lay(tokens, more);
    const gap = { characters: 0, pieces: 1, words: 10 }[kind];
    assert.equal(layout.starts[0], 0);
    for (let line = 0; line < layout.lines; line++) {
      const [start, end] = [layout.starts[line], layout.end(line)];
      assert.ok(end > start || layout.count === 0);
      for (let box = start; box < end; box++) {
        const [left, size] = [layout.left[box], layout.widths[box]];
        const tab = tokens[box] === "\t" && !more.marks;
        assert.equal(left, box === start ? 0 : layout.left[box - 1] + layout.widths[box - 1] + gap);
        assert.ok(size >= 10 && (left + size <= width || tab), `${left} + ${size} in ${width}`);
        assert.equal(layout.lineOf(box), line);
        assert.equal(layout.at(line, left), box);
        assert.equal(layout.at(line, left + size - 1), box);
        assert.equal(layout.nearest(line, left + size / 2), box);
        if (tokens[box]?.includes("\n")) assert.equal(box, end - 1);
      }
      const last = end - 1;
      assert.equal(layout.at(line, layout.left[last] + layout.widths[last]), -1);
      assert.equal(layout.nearest(line, 1e6), Math.max(0, last));
    }
    assert.equal(layout.at(layout.lines, 0), -1);
    assert.equal(layout.at(0, -1), -1);
  }
});

test("no line ends where another word would have fitted", () => {
  const { integer } = random(12);
  const words = Array.from({ length: 400 }, () => "x".repeat(integer(1, 9)));
  const { layout, lines } = lay([...words.join(" ")]);
  for (let line = 0; line + 1 < layout.lines; line++) {
    assert.ok(lines[line].endsWith(" "));
    const [word] = lines[line + 1].split(" ");
    // One character's room is kept for the space after it.
    assert.ok(10 * (lines[line].length + word.length) > 190, lines[line]);
  }
});

// -- scripts from right to left -------------------------------------------------------------------

/** Sets a line as if all of it ran one way, ten pixels a character. @param {{before: string, text: string}[]} pieces @param {boolean} rtl */
function places(pieces, rtl) {
  let x = 0;
  const found = pieces.map(({ before, text }) => {
    const left = x + 10 * before.length;
    x = left + 10 * text.length;
    return { left, right: x };
  });
  return rtl ? found.map(({ left, right }) => ({ left: x - right, right: x - left })) : found;
}

test("a paragraph whose first letter is Hebrew stands at the right, in its own order", () => {
  const text = "(שלום)\nab ש\n12\n12 ש";
  const { layout, lines } = lay([...text], { places });
  assert.deepEqual(lines, ["(שלום)\n", "ab ש\n", "12\n", "12 ש"]);
  assert.deepEqual(
    lines.map((_, line) => layout.rtl(line)),
    [true, false, false, true],
  );
  assert.deepEqual(
    lines.map((_, line) => layout.turned(line)),
    [true, true, false, true],
  );
  for (const line of [0, 3]) {
    assert.equal(layout.settle(line), lines[line].replace("\n", " "));
    for (let box = layout.starts[line]; box < layout.end(line); box++) {
      const from = 200 - 10 * (box - layout.starts[line] + 1);
      assert.equal(layout.left[box], from);
      assert.equal(layout.at(line, from), box);
      assert.equal(layout.nearest(line, from + 9), box);
    }
    assert.equal(layout.at(line, 0), -1);
    assert.equal(layout.origin(line), 200 - 10 * (layout.end(line) - layout.starts[line]));
  }
  assert.equal(layout.settle(2), "");
});

test("words keep their boxes, and change places", () => {
  const { layout } = lay(["שלום", "עולם", "a"], { spelling: WORDS, places });
  assert.equal(layout.settle(0), "");
  assert.deepEqual([...layout.left], [200 - 44, 200 - 44 - 54, 200 - 44 - 54 - 24]);
  assert.deepEqual([...layout.widths], [44, 44, 14]);
});

test("a text without such letters asks for nothing", () => {
  const never = () => assert.fail();
  const { layout } = lay([..."abc 12"], { places: never });
  assert.equal(layout.settle(0), "");
  assert.equal(layout.turned(0), false);
});

// -- tokens --------------------------------------------------------------------------------------

test("pieces of a word stand together, a hair apart, and are not parted by a line's end", () => {
  const tokens = ["un", "##break", "##able", "words", "##", "in", "##side"];
  const { layout } = lay(tokens, { spelling: new Spelling("##"), width: 160 });
  const { left, widths, texts } = layout;
  assert.deepEqual(texts.slice(0, 4), ["un", "break", "able", "words"]);
  assert.deepEqual([...left].slice(1, 3), [left[0] + widths[0] + 1, left[1] + widths[1] + 1]);
  assert.deepEqual([...layout.starts], [0, 3, 5]);
  assert.equal(left[4], left[3] + widths[3] + 10);
  const behind = lay(["un", "break</w>", "words</w>"], { spelling: new Spelling("</w>") }).layout;
  assert.equal(behind.left[1], behind.widths[0] + 1);
  assert.equal(behind.left[2], behind.left[1] + behind.widths[1] + 10);
});

test("letters for bytes are read, with the spaces that they begin with", () => {
  const tokens = ["One", "Ġtwo", "Ġthr", "ee", "Ġfour", "Ċ", "Ġf", "ive"];
  const { layout, lines } = lay(tokens, { spelling: new Spelling("Ġ"), width: 180 });
  assert.deepEqual(lines, ["OneĠtwoĠthree", "ĠfourĊ", "Ġfive"]);
  assert.deepEqual(layout.texts.slice(0, 6), ["One", " two", " thr", "ee", " four", " "]);
});

test("white space is blank, or a mark", () => {
  for (const [token, plain, marked] of [
    [" ", " ", "·"],
    ["\n", " ", "⏎"],
    ["\t", " ", "⇥"],
    [" the", " the", "·the"],
    ["end.\n", "end.", "end.⏎"],
    ["a\tb", "a b", "a⇥b"],
    ["", "∅", "∅"],
    ["\u200b", "◌", "U+200B"],
    ["\x00", "␀", "␀"],
    ["<b>", "<b>", "<b>"],
  ]) {
    assert.equal(written(token, false), plain);
    assert.equal(written(token, true), marked);
  }
  assert.ok(!written("a\u202eb", false).includes("\u202e"));
});
