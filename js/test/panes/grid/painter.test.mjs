import assert from "node:assert/strict";
import { test } from "node:test";
import { ZERO } from "../../../src/data/codes.js";
import { WholeSource } from "../../../src/data/source.js";
import { Columns, runs } from "../../../src/layout/columns.js";
import { FakeModel, load, random } from "../../load.mjs";

class FakeImage {
  /** @param {number} width @param {number} height */
  constructor(width, height) {
    this.width = width;
    this.height = height;
    this.data = new Uint8ClampedArray(4 * width * height);
  }
}
Object.assign(globalThis, {
  ImageData: FakeImage,
  document: { createElement: () => ({ getContext: () => null }) },
});

/** @type {typeof import("../../../src/panes/grid/painter.js")} */
const { Painter } = await load("panes/grid/painter.js");
/** @type {typeof import("../../../src/colour/colours.js")} */
const { CLIPPED, Colours, IS_NAN, PLAIN } = await load("colour/colours.js");
/** @type {typeof import("../../../src/colour/palettes.js")} */
const { mix, RAMP, ramp } = await load("colour/palettes.js");

const BACKGROUND = 0xffffffff;
const theme = /** @type {any} */ ({ dark: false, background: BACKGROUND, foreground: 0xff000000 });
const nan = Number.NaN;
const infinity = Number.POSITIVE_INFINITY;

/**
 * A source of one layer, from its rows.
 * @param {number[][]} rows
 * @param {{examples?: number, signal?: string}} options
 */
function sourceOf(rows, { examples = 1, signal = "hidden_state" } = {}) {
  const layer = {
    name: "lstm",
    signals: [signal],
    examples,
    timesteps: rows[0].length / examples,
    cells: rows.length,
    masked: false,
    kind: "LSTM",
    go_backwards: false,
    windowed: false,
    tokens: false,
    labels: false,
    check: {},
  };
  const values = Float32Array.from(rows.flat());
  const model = new FakeModel({
    _layers: [layer],
    _whole: new DataView(values.buffer),
    _text: { lstm: { tokens: null, labels: null } },
  });
  return new WholeSource(model, layer, signal);
}

/** @param {WholeSource} source @param {Partial<ConstructorParameters<typeof Colours>[0]>} look */
function coloursOf(source, look = {}) {
  const fixed = /** @type {const} */ ({ scale: "layer", palette: "RdBu_r", threshold: 0 });
  return new Colours({ ...fixed, diverging: true, theme, source, ...look });
}

/**
 * Paint, and give the pixels.
 * @param {WholeSource} source
 * @param {{column: number, row: number, width: number, height: number, scroll?: number, top?: number, order?: Int32Array, colours?: InstanceType<typeof Colours>}} look
 */
function paint(source, look, painter = new Painter()) {
  const { column, row, width, height, scroll = 0, top = 0, order, colours } = look;
  const columns = new Columns(source.layer.examples, source.layer.timesteps, column);
  let image = new FakeImage(0, 0);
  const context = /** @type {any} */ ({
    putImageData: (/** @type {FakeImage} */ given) => {
      image = given;
    },
  });
  painter.paint(context, {
    source,
    align: "read",
    colours: colours ?? coloursOf(source),
    order: order ?? Int32Array.from(source.rows.map((_, cell) => cell)),
    runs: runs(columns, scroll, width, 1),
    left: 0,
    top: 0,
    width,
    height,
    scroll: top,
    rowHeight: row,
    columnWidth: column,
  });
  const pixels = new Uint32Array(image.data.buffer);
  return (/** @type {number} */ x, /** @type {number} */ y) => pixels[y * width + x];
}

/** Values from -1 to 1, and 1 itself. @param {number} cells @param {number} columns */
function noise(cells, columns) {
  const { next } = random(1);
  const rows = Array.from({ length: cells }, () =>
    Array.from({ length: columns }, () => 2 * next() - 1),
  );
  for (const row of rows) row[0] = 1;
  return rows;
}

test("the colour of a code is that of its value", () => {
  const colours = coloursOf(sourceOf([[-1, 0, 1, 0.5]]));
  const pixels = colours.row(0);
  const reds = ramp("RdBu_r");
  assert.equal(pixels[1], reds[0]);
  assert.equal(pixels[253], reds[RAMP - 1]);
  assert.equal(pixels[127], reds[Math.round(0.5 * (RAMP - 1))]);
  assert.equal(pixels[190], reds[Math.round(0.75 * (RAMP - 1))]);
  assert.equal(colours.row(0), pixels);
});

test("values below the threshold are faded, the others are not", () => {
  const source = sourceOf([[-1, 0, 1, 0.5]]);
  const plain = coloursOf(source);
  const faded = coloursOf(source, { threshold: 0.5 });
  for (const value of [0, 0.25, -0.49]) {
    assert.notEqual(faded.pixel(value, 0), plain.pixel(value, 0));
  }
  for (const value of [0.5, -0.5, 1, infinity]) {
    assert.equal(faded.pixel(value, 0), plain.pixel(value, 0));
  }
  assert.equal(faded.pixel(nan, 0), plain.pixel(nan, 0));
});

test("NaN has its own colour and mark, what is beyond the range a mark", () => {
  const source = sourceOf([[-1, nan, 1, infinity]]);
  const colours = coloursOf(source);
  assert.equal(colours.mark(nan, 0), IS_NAN);
  assert.ok(!ramp("RdBu_r").includes(colours.pixel(nan, 0)));
  assert.equal(colours.mark(infinity, 0), CLIPPED);
  assert.equal(colours.mark(-infinity, 0), CLIPPED);
  for (const value of [-1, 0, 1]) assert.equal(colours.mark(value, 0), PLAIN);
  const fixed = coloursOf(source, { scale: [-0.5, 0.5] });
  assert.equal(fixed.mark(1, 0), CLIPPED);
  assert.equal(fixed.mark(0.5, 0), PLAIN);
  assert.equal(fixed.pixel(1, 0), fixed.pixel(0.5, 0));
});

test("a gate beyond 0 to 1 is shown as a signed signal", () => {
  const gate = sourceOf([[0, 0.5, 1]], { signal: "forget_gate" });
  assert.equal(gate.gate, true);
  assert.equal(coloursOf(gate).pixel(0, 0), ramp("RdBu_r")[0]);
  assert.equal(sourceOf([[0, 0.5, 1.5]], { signal: "forget_gate" }).gate, false);
});

test("each square has the colour of its value, in the order of the rows", () => {
  const rows = noise(7, 50);
  const source = sourceOf(rows);
  const colours = coloursOf(source);
  const order = [4, 0, 6, 2];
  for (const [scroll, top] of [
    [0, 0],
    [25, 7],
  ]) {
    const at = paint(source, {
      column: 4,
      row: 5,
      width: 120,
      height: 20,
      order: Int32Array.from(order),
      scroll,
      top,
    });
    for (let y = 0; y < 20; y++) {
      const cell = order[Math.floor((y + top) / 5)];
      for (let x = 0; x < 120; x++) {
        const column = Math.floor((x + scroll) / 4);
        const expected =
          cell === undefined ? BACKGROUND : colours.row(cell)[codeOf(source, cell, column)];
        assert.equal(at(x, y), column < 50 ? expected : BACKGROUND, `${x}, ${y}`);
      }
    }
  }
});

/** @param {WholeSource} source @param {number} cell @param {number} column */
function codeOf(source, cell, column) {
  return /** @type {Uint8Array} */ (source.levels[0][cell])[column];
}

test("large squares stand apart by a line of background", () => {
  const at = paint(sourceOf(noise(2, 2)), { column: 10, row: 10, width: 20, height: 20 });
  for (let i = 0; i < 20; i++) {
    for (const line of [9, 19]) {
      if (line < 19) assert.equal(at(line, i), BACKGROUND);
      if (line < 19) assert.equal(at(i, line), BACKGROUND);
    }
  }
  assert.notEqual(at(8, 8), BACKGROUND);
});

test("a lone spike is seen however far one zooms out, with its sign", () => {
  const rows = Array.from({ length: 300 }, () => new Array(3000).fill(0.01));
  rows[123][1777] = -1;
  rows[250][40] = 1;
  const source = sourceOf(rows);
  const ends = [ramp("RdBu_r")[0], ramp("RdBu_r")[RAMP - 1]];
  for (const [column, row] of [
    [0.1, 4],
    [0.1, 0.2],
    [1, 0.2],
    [0.033, 0.1],
  ]) {
    const [width, height] = [Math.ceil(3000 * column), Math.ceil(300 * row)];
    const at = paint(source, { column, row, width, height });
    assert.equal(at(Math.floor(1777 * column), Math.floor(123.5 * row)), ends[0]);
    assert.equal(at(Math.floor(40 * column), Math.floor(250.5 * row)), ends[1]);
  }
});

test("of several cells under one pixel, NaN is seen before all", () => {
  const rows = Array.from({ length: 10 }, () => new Array(20).fill(1));
  rows[3][7] = nan;
  const source = sourceOf(rows);
  const at = paint(source, { column: 2, row: 0.1, width: 40, height: 1 });
  assert.equal(at(14, 0), coloursOf(source).nan);
  assert.equal(at(12, 0), ramp("RdBu_r")[RAMP - 1]);
});

test("NaN, clipped values and padding are told by a pattern, not by colour alone", () => {
  const source = sourceOf([[1, nan, infinity, 0]]);
  const at = paint(source, { column: 20, row: 20, width: 80, height: 20 });
  /** @param {number} from */
  const tones = (from) => {
    const seen = new Set();
    for (let y = 1; y < 18; y++) for (let x = from; x < from + 18; x++) seen.add(at(x, y));
    return seen.size;
  };
  assert.deepEqual([0, 20, 40, 60].map(tones), [1, 2, 2, 1]);
});

test("nothing to paint is no error", () => {
  const source = sourceOf(noise(3, 4));
  paint(source, { column: 4, row: 4, width: 0, height: 10 });
  const at = paint(source, { column: 4, row: 4, width: 10, height: 10, order: new Int32Array(0) });
  assert.equal(at(5, 5), BACKGROUND);
  assert.equal(mix(BACKGROUND, BACKGROUND, 0.5), BACKGROUND);
});

test("a step that changes no square looks at no value, every other one does", () => {
  const source = sourceOf(noise(40, 300));
  const painter = new Painter();
  const { tile } = source;
  let looks = 0;
  let missing = false;
  source.tile = (level, block, cell) => {
    looks++;
    return missing && cell === 3 ? undefined : tile.call(source, level, block, cell);
  };
  source.coarse = () => ZERO;
  const order = Int32Array.from({ length: 40 }, (_, row) => row);
  const colours = coloursOf(source);
  let look = { column: 7, row: 8, width: 200, height: 90, order, colours };
  const step = (change = {}) => {
    look = { ...look, ...change };
    looks = 0;
    const found = paint(source, look, painter);
    const looked = looks;
    const fresh = paint(source, look);
    for (let i = 0; i < 200 * 90; i++)
      assert.equal(found(i % 200, (i / 200) | 0), fresh(i % 200, (i / 200) | 0));
    return looked;
  };
  assert.ok(step() > 10);
  assert.ok(step() <= 1);
  for (const change of [
    { scroll: 3 },
    { top: 5 },
    { colours: coloursOf(source, { threshold: 0.5 }) },
    { order: order.slice().reverse() },
    { column: 9 },
    { row: 11 },
  ]) {
    assert.ok(step(change) > 5, JSON.stringify(change));
    assert.ok(step() <= 1);
  }
  // What isn't there yet is asked for again in every frame.
  missing = true;
  step({ order });
  assert.ok(step() > 5);
  missing = false;
  assert.ok(step() > 5);
  assert.ok(step() <= 1);
});
