import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeModel, load } from "../load.mjs";

const { channelsOf, drawChannels, stripHeight } = await load("canvas/channel_strip.js");
const { Columns } = await load("layout/columns.js");
const { Lines } = await load("data/lines.js");

/** What is drawn: the points of lines, and boxes. */
class FakeContext {
  /** @type {[number, number][][]} */
  lines = [];
  /** @type {[number, number, number, number, string][]} */
  boxes = [];
  /** @type {string[]} */
  texts = [];
  /** @type {{text: string, x: number, y: number, room: number}[]} */
  placed = [];
  fillStyle = "";
  /** @param {number} x @param {number} y */
  moveTo(x, y) {
    this.lines.push([[x, y]]);
  }
  /** @param {number} x @param {number} y */
  lineTo(x, y) {
    this.lines[this.lines.length - 1].push([x, y]);
  }
  /** @param {[number, number, number, number]} box */
  fillRect(...box) {
    this.boxes.push([...box, this.fillStyle]);
  }
  /** @param {string} text @param {number} x at its right @param {number} y @param {number} room */
  fillText(text, x, y, room) {
    this.texts.push(text);
    this.placed.push({ text, x, y, room });
  }
  /** @param {string} text */
  measureText(text) {
    return { width: 5 * text.length };
  }
  save() {}
  restore() {}
  beginPath() {}
  rect() {}
  clip() {}
  stroke() {}
}

const theme = { dark: false, font: "sans", colour: { line: "line", muted: "muted", fg: "fg" } };

/** Timesteps without times. @param {number} timesteps @param {number} first @param {number} step */
const counted = (timesteps, first, step) => ({
  timesteps,
  kind: "timestep",
  counted: [first, step],
});

/**
 * A model of one layer beside series.
 * @param {number[][]} channels values by channel
 * @param {{timesteps: number}} own where the timesteps of the layer stand
 * @param {object} [series] the same of the series
 * @param {string} [unit] of the first channel
 */
function made(channels, own, series = { kind: "timestep", counted: [0, 1] }, unit = "mm") {
  const count = channels[0].length;
  const layer = { name: "lstm", examples: 1, cells: 1, signals: [], ...own };
  const values = Float32Array.from(channels.flat());
  const model = new FakeModel({
    _axes: { "": { ...series, count }, lstm: { ...own, count: layer.timesteps } },
    _axis_values: new Uint8Array(0),
    _beside: {
      channels: channels.map((_, i) => ({ name: `c${i}`, unit: i ? "" : unit })),
      outputs: [],
      tracks: {},
      labels: null,
    },
    _series: { keys: channels.map((_, i) => ["channel", i, "", ""]), examples: [0, 1] },
    _series_values: new Uint8Array(values.buffer),
    _summary: {},
    _whole: new Uint8Array(0),
  });
  return { layer, lines: new Lines(model, [layer], () => {}) };
}

/** @param {ReturnType<typeof made>} of @param {number} width of a column */
function draw({ layer, lines }, width) {
  const context = new FakeContext();
  const columns = new Columns(1, layer.timesteps, width);
  const place = { columns, gutter: 84, left: 0, width: 84 + columns.total, top: 20 };
  drawChannels(context, { layer, lines, theme, column: 0 }, place);
  return context;
}

test("a line goes through each value, with a gap where one is missing", () => {
  const of = made([[0, 10, NaN, 5, 0]], counted(5, 0, 1));
  const { lines, texts } = draw(of, 10);
  // From 0 at the bottom to 10 at the top of 26 pixels, without its edges.
  const [bottom, top] = [20 + 26 - 3.5, 20 + 3.5];
  const points = lines.map((line) => line.filter(([x]) => Number.isInteger(x)));
  assert.deepEqual(points, [
    [
      [89, bottom],
      [99, top],
    ],
    [
      [119, (bottom + top) / 2],
      [129, bottom],
    ],
  ]);
  assert.deepEqual(texts, ["c0", "0 – 10 mm"]);
});

test("from afar, every pixel reaches to the extremes under it", () => {
  const values = Array.from({ length: 4096 }, (_, i) => (i === 3001 ? 100 : i === 1500 ? -50 : 1));
  const { boxes } = draw(made([values], counted(4096, 0, 1)), 1 / 8);
  const drawn = boxes.filter(([, , , , colour]) => colour.startsWith("rgb"));
  const at = (/** @type {number} */ column) => drawn.filter(([x]) => x === 84 + column);
  const usual = at(100)[0];
  assert.equal(at(Math.floor(3001 / 8)).length, 1);
  assert.ok(at(Math.floor(3001 / 8))[0][1] < usual[1] - 10);
  assert.ok(at(Math.floor(1500 / 8))[0][1] + at(Math.floor(1500 / 8))[0][3] > usual[1] + 6);
  assert.ok(drawn.every(([, , width]) => width === 1));
});

test("a layer of every third timestep shows what was read there", () => {
  const values = Array.from({ length: 12 }, (_, i) => i);
  const of = made([values], counted(4, 2, 3));
  assert.deepEqual([0, 1, 2, 3].map(of.lines.inSeries("lstm", 0)), [2, 5, 8, 11]);
  const dates = made(
    [values],
    /** @type {any} */ ({ timesteps: 4, kind: "date", shared: true, runs: [[[2000, 3000, 4]]] }),
    /** @type {any} */ ({ kind: "date", shared: true, runs: [[[0, 1000, 12]]] }),
  );
  assert.deepEqual([0, 1, 2, 3].map(dates.lines.inSeries("lstm", 0)), [2, 5, 8, 11]);
});

test("there is no strip above tokens, nor of a layer with timesteps of its own", () => {
  const of = made([[1, 2, 3]], counted(3, 0, 1));
  assert.equal(channelsOf(of.layer, of.lines).length, 1);
  assert.equal(channelsOf({ ...of.layer, tokens: true }, of.lines).length, 0);
  assert.equal(channelsOf(of.layer, undefined).length, 0);
  const other = made([[1, 2, 3]], counted(2, 0, 1));
  assert.equal(channelsOf(other.layer, other.lines).length, 0);
  // Many of them don't take all of the room.
  const many = made(
    Array.from({ length: 30 }, (_, i) => [i, i]),
    counted(2, 0, 1),
  );
  assert.ok(stripHeight(channelsOf(many.layer, many.lines).length, 30) <= 140);
  assert.ok(draw(many, 10).texts.includes("22 more channels: SeriesPlot has all of them"));
});

test("a constant channel is a line in the middle, one of nothing is none", () => {
  const of = made(
    [
      [3, 3, 3],
      [NaN, NaN, NaN],
    ],
    counted(3, 0, 1),
  );
  const { lines, texts } = draw(of, 10);
  assert.ok(lines.length === 1 && lines[0].every(([, y]) => y === 33));
  assert.deepEqual(texts, ["c0", "3 mm", "c1"]);
});

test("ends of ranges are never cut: a unit without room stands behind the name, or is cut itself", () => {
  const of = (/** @type {number[]} */ values, /** @type {string} */ unit) =>
    draw(made([values], counted(values.length, 0, 1), undefined, unit), 10);
  assert.deepEqual(of([3.7e-9, 41.58], "mm/d").texts, ["c0", "0 – 41.6 mm/d"]);
  const behind = of([-12.34, 41.58], "mm/day");
  assert.deepEqual(behind.texts, ["c0", " mm/day", "−12.3 – 41.6"]);
  const [name, unit] = behind.placed;
  assert.equal(name.y, unit.y);
  assert.ok(name.x <= unit.x - unit.room);
  const cut = of([-12.34, 41.58], "cubic metres a second");
  assert.deepEqual(cut.texts, ["c0", "−12.3 – 41.6 cub…"]);
  assert.ok(cut.placed.every(({ x, room }) => x - room >= 0 && x < 84));
  assert.deepEqual(of([5, 5], "").texts, ["c0", "5"]);
  assert.deepEqual(of([NaN, NaN], "K").texts, ["c0", "K"]);
});
