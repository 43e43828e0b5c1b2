// Examples in the page: unpacked, chosen and sorted, and asked for; where their words stand.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { FakeModel, load, random } from "../load.mjs";

/** @type {typeof import("../../src/data/examples.js")} */
const { WholeExamples, KernelExamples, orderOf, timesOf } = await load("data/examples.js");
/** @type {typeof import("../../src/data/spelling.js")} */
const { Spelling } = await load("data/spelling.js");
/** @type {typeof import("../../src/layout/word_rows.js")} */
const { boxesOf, Shelf, WordRows } = await load("layout/word_rows.js");
/** @type {typeof import("../../src/colour/relevance_colours.js")} */
const { Band } = await load("colour/relevance_colours.js");
/** @type {typeof import("../../src/panes/relevance/words.js")} */
const { counted, strongest, sureness } = await load("panes/relevance/words.js");
/** @type {typeof import("../../src/lib/wording.js")} */
const { methodName } = await load("lib/wording.js");

const table = JSON.parse(await readFile(new URL("../examples.json", import.meta.url), "utf8"));

/** Numbers that JSON has no way to write. @param {number | string} value */
const real = (value) =>
  value === "nan" ? Number.NaN : Number(String(value).replace("inf", "Infinity"));

/**
 * Pack examples as Python does.
 * @param {any[]} examples
 * @param {number[][][]} relevance (method, example, timestep)
 */
function packed(examples, relevance) {
  const texts = [...new Set(examples.flatMap(({ tokens }) => tokens))];
  const parts = [
    Float32Array.from(relevance.flat(2)),
    Float32Array.from(examples, ({ score }) => real(score)),
    Float32Array.from(examples, ({ confidence }) => real(confidence)),
    ...["predicted", "true", "target"].map((name) => Int32Array.from(examples, (e) => e[name])),
    Int32Array.from(examples.flatMap(({ tokens }) => tokens).map((token) => texts.indexOf(token))),
    Uint8Array.from(examples.flatMap(({ mask }) => mask)),
  ];
  const whole = parts.map(({ buffer }) => new Uint8Array(buffer));
  return { table: texts, bytes: new Uint8Array(Buffer.concat(whole)) };
}

/** @param {any} more @returns {any} */
const summaryOf = (more) => ({
  timesteps: 3,
  methods: [
    { name: "lrp", signed: true, largest: 4 },
    { name: "sensitivity", signed: false, largest: 4 },
  ],
  tokens: true,
  masked: true,
  channels: [],
  times: null,
  unit: "",
  spelling: "words",
  ...more,
});

const values = [0, 1].map((m) =>
  table.examples.map((/** @type {any} */ _, /** @type {number} */ e) => [m + e, 0 - e, 10 * m]),
);
const { table: texts, bytes } = packed(table.examples, values);
const everything = { sort: "index", predicted: null, outcome: "all", search: "" };

/** All examples of the table, in the page, at an odd address. */
function whole(more = {}) {
  const shifted = new Uint8Array(bytes.length + 1);
  shifted.set(bytes, 1);
  const model = new FakeModel({
    _summary: summaryOf({ examples: table.examples.length, ...more }),
    _text: {
      table: texts,
      labels: ["a", "b", "c", "d", "e", "f"],
      doubtful: [[], [1], [0, 1], [], [], []],
    },
    _whole: new DataView(shifted.buffer, 1),
  });
  return new WholeExamples(/** @type {any} */ (model));
}

test("what Python packs is found again", () => {
  const examples = whole();
  table.examples.forEach((/** @type {any} */ wanted, /** @type {number} */ e) => {
    const row = /** @type {import("../../src/data/examples.js").Row} */ (examples.row(e));
    assert.deepEqual(
      [0, 1, 2].map((t) => row.token(t)),
      wanted.tokens,
    );
    assert.deepEqual(
      [0, 1, 2].map((t) => Number(!row.padding(t))),
      wanted.mask,
    );
    assert.deepEqual(
      [row.predicted, row.true, row.target],
      [wanted.predicted, wanted.true, wanted.target],
    );
    assert.deepEqual([row.score, row.confidence], [real(wanted.score), real(wanted.confidence)]);
    assert.deepEqual([...row.values(0)], values[0][e]);
    assert.deepEqual([...row.values(1)], values[1][e]);
    assert.equal(row.largest(1), Math.max(...values[1][e].map(Math.abs)));
    assert.equal(
      row.length,
      wanted.mask.reduce((/** @type {number} */ a, /** @type {number} */ b) => a + b),
    );
    assert.equal(row.label, "abcdef"[e]);
    assert.deepEqual(row.doubtful, [[], [1], [0, 1], [], [], []][e]);
  });
});

test("filters, search and orders are those of Python", () => {
  const examples = whole();
  for (const [question, wanted] of table.questions) {
    const asked = { ...everything, ...question };
    assert.deepEqual([...(examples.order(asked) ?? [])], wanted, JSON.stringify(question));
    assert.deepEqual([...orderOf(examples.rows, asked)], wanted);
  }
  const order = examples.order(everything);
  assert.equal(examples.order({ ...everything }), order, "the same until it is another question");
});

test("the words that a search hits", () => {
  const examples = whole();
  const hits = (/** @type {number} */ e, /** @type {string} */ search) => [
    ...(examples.row(e)?.hits(search) ?? []),
  ];
  assert.deepEqual(hits(0, "NOT g"), [1, 2]);
  assert.deepEqual(hits(0, "o"), [1, 2]);
  assert.deepEqual(hits(1, "not"), [1]);
  assert.deepEqual(hits(1, "not "), [1]);
  assert.deepEqual(hits(1, "film"), []);
  assert.deepEqual(hits(1, ""), []);
  const letters = whole({ spelling: "characters" });
  assert.deepEqual([...(letters.row(1)?.hits("dn") ?? [])], [0, 1]);
});

test("rows and orders are asked for once, and kept", () => {
  const model = new FakeModel({ _summary: summaryOf({ examples: 6 }) });
  let arrivals = 0;
  const examples = new KernelExamples(/** @type {any} */ (model), () => arrivals++);
  assert.deepEqual([...(examples.order(everything) ?? [])], [0, 1, 2, 3, 4, 5]);
  examples.request();
  assert.equal(model.sent.length, 0, "nothing is missing");
  const question = { ...everything, search: "good" };
  assert.equal(examples.order(question), undefined);
  assert.equal(examples.row(4), undefined);
  assert.equal(examples.row(1), undefined);
  examples.request();
  examples.row(2);
  examples.request();
  assert.equal(model.sent.length, 1, "one at a time");
  const { id, order, rows } = model.sent[0];
  assert.deepEqual([order, rows], [question, [4, 1]]);
  const chosen = rows.map((/** @type {number} */ e) => table.examples[e]);
  const some = packed(
    chosen,
    values.map((m) => rows.map((/** @type {number} */ e) => m[e])),
  );
  const reply = { id, order, rows, table: some.table, labels: ["e", "b"] };
  model.emit("msg:custom", reply, [new DataView(Uint32Array.of(5, 0).buffer), some.bytes]);
  assert.equal(arrivals, 1);
  assert.deepEqual([...(examples.order(question) ?? [])], [5, 0]);
  assert.deepEqual([examples.row(4)?.token(0), examples.row(4)?.label], ["ÉTÉ", "e"]);
  assert.deepEqual([...(examples.row(1)?.values(1) ?? [])], values[1][1]);
  examples.request();
  assert.equal(model.sent.length, 1, "nothing is missing any more");
  examples.row(3);
  examples.request();
  model.emit("msg:custom", { id: model.sent[1].id, error: "KeyError: 3" }, []);
  assert.match(examples.notice, /could not answer: KeyError/);
  examples.dispose();
  assert.equal(model.listeners("msg:custom"), 0);
});

test("a long text is asked for in pieces of a megabyte", () => {
  const model = new FakeModel({ _summary: summaryOf({ examples: 1000, timesteps: 5000 }) });
  const examples = new KernelExamples(/** @type {any} */ (model), () => {});
  for (let e = 0; e < 100; e++) examples.row(e);
  examples.request();
  assert.equal(model.sent[0].rows.length, Math.floor(2 ** 20 / (4 * 5000 * 3)));
  examples.dispose();
});

test("padding is one box from so many timesteps on", () => {
  const row = /** @type {any} */ ({
    padding: (/** @type {number} */ t) => [0, 1, 2, 5].includes(t),
    token: (/** @type {number} */ t) => ["", "", "", "a", "<b>", ""][t],
    spelling: new Spelling("words"),
  });
  const texts = (/** @type {number} */ run) =>
    boxesOf(row, 6, run).map(({ start, stop, padding, text }) => [start, stop, padding, text]);
  assert.deepEqual(texts(2), [
    [0, 3, true, "3 × padding"],
    [3, 4, false, "a"],
    [4, 5, false, "<b>"],
    [5, 6, true, "∅"],
  ]);
  assert.deepEqual(
    texts(4).map(([start]) => start),
    [0, 1, 2, 3, 4, 5],
  );
  const numbers = boxesOf(
    /** @type {any} */ ({
      padding: () => false,
      token: () => undefined,
      spelling: new Spelling("words"),
    }),
    2,
    2,
  );
  assert.deepEqual(
    numbers.map(({ text }) => text),
    ["0", "1"],
  );
});

test("words are wrapped, and cut with a note of how many", () => {
  const { integer, next } = random(3);
  for (let round = 0; round < 300; round++) {
    const count = integer(0, 40);
    const boxes = Array.from({ length: count }, (_, i) => ({
      start: i,
      stop: i + 1,
      padding: false,
      text: "",
      joined: false,
    }));
    const sizes = boxes.map(() => integer(10, 120));
    const [width, gap, most] = [
      integer(100, 400),
      integer(0, 5),
      next() < 0.3 ? Infinity : integer(1, 4),
    ];
    const rows = new WordRows(boxes, sizes, { width, gap, seam: 1, lines: most, chip: () => 50 });
    // A plain loop, word by word.
    const lines = /** @type {number[][]} */ ([]);
    let room = 0;
    sizes.forEach((size, i) => {
      const own = Math.min(size, width);
      if (lines.length === 0 || own > room) {
        lines.push([]);
        room = width;
      }
      lines[lines.length - 1].push(i);
      assert.equal(rows.left[i], width - room);
      room -= own + gap;
    });
    assert.equal(rows.needed, Math.max(1, lines.length));
    assert.equal(rows.lines, Math.min(most, lines.length));
    assert.deepEqual(
      [...rows.starts],
      lines.slice(0, most).map(([first]) => first),
    );
    assert.equal(rows.cut, count - rows.count);
    if (lines.length <= most) assert.equal(rows.count, count);
    else {
      const last = lines[/** @type {number} */ (most) - 1];
      assert.ok(rows.count > last[0], "a word at least stands in the line");
      if (rows.count > last[0] + 1) assert.ok(rows.chip + 50 <= width);
    }
    for (let line = 0; line < rows.lines; line++) {
      for (let i = rows.starts[line]; i < rows.end(line); i++) {
        assert.equal(rows.lineOf(i), line);
        assert.equal(rows.boxOf(i), i);
        assert.equal(rows.at(line, rows.left[i]), i);
        assert.equal(rows.at(line, rows.left[i] + rows.widths[i] - 1), i);
        assert.equal(rows.nearest(line, rows.left[i] + rows.widths[i] / 2), i);
        if (gap) assert.equal(rows.at(line, rows.left[i] + rows.widths[i]), -1);
      }
    }
    assert.equal(rows.at(rows.lines, 0), -1);
  }
});

test("pieces of a word are joined, and go to the next line together", () => {
  const tokens = ["un", "##break", "##able", "word"];
  const row = /** @type {any} */ ({
    padding: () => false,
    token: (/** @type {number} */ t) => tokens[t],
    spelling: new Spelling("##"),
  });
  const boxes = boxesOf(row, 4, 2);
  assert.deepEqual(
    boxes.map(({ text, joined }) => [text, joined]),
    [
      ["un", false],
      ["break", true],
      ["able", true],
      ["word", false],
    ],
  );
  const style = { width: 100, gap: 3, seam: 1, lines: 9, chip: () => 0 };
  const { left, starts } = new WordRows(boxes, [20, 30, 40, 50], style);
  assert.deepEqual([...left], [0, 21, 52, 0]);
  assert.deepEqual([...starts], [0, 3]);
  const turned = new WordRows([boxes[3], ...boxes.slice(0, 3)], [50, 20, 30, 40], style);
  assert.deepEqual([...turned.left], [0, 0, 21, 52]);
  assert.deepEqual([...turned.starts], [0, 1]);
});

test("words of an example from right to left change places within their line", () => {
  const box = (/** @type {string} */ text) => ({
    start: 0,
    stop: 1,
    padding: false,
    text,
    joined: false,
  });
  const boxes = ["שלום", "עולם", "שוב"].map(box);
  const style = { width: 100, gap: 3, seam: 1, lines: 9, chip: () => 0 };
  const rows = new WordRows(boxes, [40, 50, 30], style);
  /** @type {string[][]} */
  const asked = [];
  rows.settle(new Spelling("words"), 3, (pieces, rtl) => {
    assert.ok(rtl);
    asked.push(pieces.map(({ before, text }) => before + text));
    return pieces.map((_, i) => ({ left: -i, right: 1 - i }));
  });
  assert.deepEqual(asked, [["שלום", " עולם"], ["שוב"]]);
  assert.deepEqual([...rows.left], [53, 0, 0]);
  assert.equal(rows.at(0, 54), 0);
  const none = new WordRows([box("a")], [20], style);
  none.settle(new Spelling("words"), 3, () => assert.fail());
  assert.equal(none.rtl, false);
});

test("rows stand under each other, one of them unfolded", () => {
  for (const [open, extra] of [
    [-1, 0],
    [0, 70],
    [3, 1],
    [9, 400],
  ]) {
    const shelf = new Shelf({ count: 10, pitch: 40, top: 2, open, extra });
    let y = 2;
    for (let rank = 0; rank < 10; rank++) {
      assert.equal(shelf.start(rank), y);
      const size = 40 + (rank === open ? extra : 0);
      assert.equal(shelf.size(rank), size);
      for (const inside of [0, 39, size - 1]) assert.equal(shelf.at(y + inside), rank);
      y += size;
    }
    assert.equal(shelf.height, y + 2);
    assert.deepEqual([shelf.at(-50), shelf.at(y + 500)], [0, 9]);
  }
});

test("a band's scale has one side or two", () => {
  const of = (/** @type {boolean} */ signed, /** @type {any} */ scale, palette = "auto") =>
    new Band({ name: "m", signed, largest: 4 }, { palette, scale, dark: false });
  assert.deepEqual(of(true, "example").range(2), [-2, 2]);
  assert.deepEqual(of(true, "all").range(2), [-4, 4]);
  assert.deepEqual(of(true, [-1, 3]).range(2), [-1, 3]);
  assert.deepEqual(of(false, "example").range(2), [0, 2]);
  assert.deepEqual(of(false, "all").range(2), [0, 4]);
  assert.deepEqual(of(false, [-1, 3]).range(2), [0, 3]);
  assert.deepEqual(of(false, [-3, -1]).range(2), [-3, -1]);
  const fixed = of(true, [-1, 1]);
  const cut = [-1.1, -1, 0, 1, 1.1, Number.POSITIVE_INFINITY].map((v) => fixed.clipped(v, [-1, 1]));
  assert.deepEqual(cut, [true, false, false, false, true, true]);
  assert.equal(of(true, "example").clipped(2, [-2, 2]), false);
  // Of all zeros, zero is in the middle or at the beginning.
  assert.equal(of(true, "example").position(0, [0, 0]), 0.5);
  assert.equal(of(false, "example").position(0, [0, 0]), 0);
  // A palette with a middle lends its upper half to what has no sign.
  const [half, both] = [of(false, "example", "RdBu_r"), of(true, "example", "RdBu_r")];
  assert.equal(half.pixel(2, [0, 2]), both.pixel(2, [-2, 2]));
  assert.equal(of(false, "example").pixel(0, [0, 2]) >>> 0, 0xfffdfbfc);
  assert.equal(half.ramp.length, 512);
});

test("numbers and names in words", () => {
  assert.deepEqual([0, 999, 25_000, 1_234_567].map(counted), [
    "0",
    "999",
    "25\u202f000",
    "1\u202f234\u202f567",
  ]);
  assert.equal(methodName("gradient_x_input"), "gradient × input");
  assert.equal(methodName("integrated_gradients"), "integrated gradients");
  assert.deepEqual([0.5, 0.9994, 0.9996, 1].map(sureness), ["0.500", "0.999", "> .999", "1.000"]);
  const values = Float32Array.of(1, -3, 3, Number.NaN, 9);
  assert.equal(strongest(values, 0, 1), 0);
  assert.equal(strongest(values, 0, 3), 1);
  assert.equal(strongest(values, 0, 5), 3);
});

test("of a series there is one value for each channel, and examples have times of their own", () => {
  const summary = summaryOf({
    examples: 2,
    masked: false,
    tokens: false,
    channels: [
      ["rain", "mm"],
      ["cold", ""],
    ],
    times: { kind: "number", decimals: 0 },
  });
  const relevance = Float32Array.from({ length: 2 * 2 * 2 * 3 }, (_, i) => i - 12);
  const parts = [
    Float64Array.of(1, 10, 1, 3), // a run: from 10 on, every 1, three
    Float64Array.of(0, 5, 7, 20), // no runs: each time
    relevance,
    new Float32Array(4),
    new Int32Array(6),
  ];
  const whole = Buffer.concat(parts.map(({ buffer }) => new Uint8Array(buffer)));
  const model = new FakeModel({
    _summary: summary,
    _text: { table: [], labels: null, doubtful: null, times: [32, 32] },
    _whole: new Uint8Array(whole),
  });
  const { rows } = new WholeExamples(model);
  for (const [at, row] of rows.entries()) {
    for (let m = 0; m < 2; m++) {
      for (let c = 0; c < 2; c++) {
        const start = ((m * 2 + c) * 2 + at) * 3;
        assert.deepEqual(row.values(m, c), relevance.subarray(start, start + 3));
      }
    }
  }
  assert.equal(rows[0].largest(0), 12);
  assert.equal(rows[1].largest(1), 11);
  assert.equal(rows[0].last, 2);
  assert.deepEqual(
    [0, 1, 2].map((t) => rows.map((row) => row.times?.label(t))),
    [
      ["10", "5"],
      ["11", "7"],
      ["12", "20"],
    ],
  );
});

test("times that all examples have are in the description", () => {
  const summary = summaryOf({
    channels: [["rain", ""]],
    times: { kind: "date", resolution: "day", shared: true, runs: [[[0, 86_400_000, 3]]] },
  });
  const times = timesOf(summary);
  assert.equal(times, timesOf(summary));
  assert.equal(times?.label(2), "1970-01-03");
  assert.equal(timesOf(summaryOf({})), undefined);
});
