import assert from "node:assert/strict";
import { before, test } from "node:test";
import { load, random } from "../../load.mjs";

/** What is put on the canvas of a plotter, as a browser gets it. @type {{image: any}} */
const drawn = { image: undefined };
/** @type {typeof import("../../../src/panes/series/plotter.js").Plotter} */
let Plotter;

before(async () => {
  const context = { putImageData: (/** @type {any} */ image) => (drawn.image = image) };
  Object.assign(globalThis, {
    document: { createElement: () => ({ getContext: () => context }) },
    ImageData: class {
      /** @param {number} width @param {number} height */
      constructor(width, height) {
        Object.assign(this, { width, height, data: new Uint8ClampedArray(4 * width * height) });
      }
    },
  });
  ({ Plotter } = await load("panes/series/plotter.js"));
});

const [WIDTH, HEIGHT] = [120, 40];
const BLACK = 0xff000000;

/** Where the lines go that are drawn from timestep to timestep. */
function recorder() {
  /** @type {any[]} */
  const calls = [];
  const context = new Proxy(
    {},
    {
      get:
        (_, name) =>
        (/** @type {unknown[]} */ ...of) =>
          calls.push([name, ...of]),
      set: () => true,
    },
  );
  return { calls, context: /** @type {any} */ (context) };
}

/**
 * Draw values over the whole width.
 * @param {number[] | Float32Array} values
 * @param {Partial<import("../../../src/panes/series/plotter.js").Look>} look
 * @param {[number, number]} range
 * @param {[first: number, step: number, count: number][]} [runs] of their times, if these are not equally far apart
 */
async function draw(values, look = {}, range = [0, 10], runs = undefined) {
  const { WholeLine, TILE } = await load("data/levels.js");
  const { Axis } = await load("data/axis.js");
  const count = values.length;
  const line = new WholeLine(Float32Array.from(values));
  const tile = (
    /** @type {any} */ _k,
    /** @type {any} */ _e,
    /** @type {number} */ level,
    /** @type {number} */ block,
  ) => {
    const part = [block * TILE, (block + 1) * TILE];
    const { low, high } = line.level(level);
    return { low: low.subarray(...part), high: high.subarray(...part) };
  };
  const lines = /** @type {any} */ ({
    tile,
    best: (
      /** @type {any} */ k,
      /** @type {any} */ e,
      /** @type {number} */ level,
      /** @type {number} */ block,
    ) => ({
      ...tile(k, e, level, block),
      first: block * TILE * 4 ** level,
      size: 4 ** level,
    }),
  });
  const sent = runs
    ? { kind: /** @type {"number"} */ ("number"), runs: [runs] }
    : {
        kind: /** @type {"timestep"} */ ("timestep"),
        counted: /** @type {[number, number]} */ ([0, 1]),
      };
  const axis = new Axis({ count, ...sent }, new Uint8Array(0), 0);
  const plotter = new Plotter();
  const scale = WIDTH / (axis.last + 1);
  plotter.begin({ start: -0.5, scale, width: WIDTH, height: HEIGHT, ratio: 1 });
  const place = {
    key: /** @type {any} */ (["channel", 0, "", ""]),
    example: 0,
    top: 2,
    bottom: 38,
    range,
  };
  plotter.line(lines, axis, place, { colour: BLACK, width: 1, ...look });
  const { calls, context } = recorder();
  drawn.image = undefined;
  plotter.end(context, 0, 0);
  const pixels = drawn.image ? new Uint32Array(drawn.image.data.buffer) : undefined;
  /** The rows of a column that are drawn on. @param {number} x */
  const rows = (x) =>
    Array.from({ length: HEIGHT }, (_, y) => y).filter(
      (y) => pixels && pixels[y * WIDTH + x] >>> 24 > 40,
    );
  return { pixels, rows, calls };
}

test("from afar, one spike among a hundred thousand reaches the top", async () => {
  const values = new Float32Array(100_000).fill(1);
  values[54_321] = 10;
  const { rows } = await draw(values);
  const at = Math.floor((54_321.5 / 100_000) * WIDTH);
  for (let x = 0; x < WIDTH; x++) {
    assert.equal(Math.min(...rows(x)) < 10, x === at, `column ${x}`);
    assert.ok(rows(x).some((y) => y >= 33 && y <= 35));
  }
});

test("a gap is one, and ends where values begin again", async () => {
  const values = new Float32Array(12_000).fill(5);
  values.fill(NaN, 4000, 6000);
  const { rows } = await draw(values);
  const empty = Array.from({ length: WIDTH }, (_, x) => x).filter((x) => rows(x).length === 0);
  assert.ok(
    Math.abs(empty[0] - 40) <= 1 && Math.abs(empty[empty.length - 1] - 59) <= 1,
    `${empty}`,
  );
  assert.equal(empty.length, empty[empty.length - 1] - empty[0] + 1);
});

test("a line breaks where timesteps are missing, from afar and near by", async () => {
  for (const each of [1, 1000]) {
    // Of 120, those from 40 to 60 were left out; where the gap begins is no multiple of a run.
    const [first, second] = [40 * each + 3, 60 * each];
    /** @type {[number, number, number][]} */
    const runs = [
      [0, 1, first],
      [first + 20 * each, 1, second],
    ];
    const { rows, calls, pixels } = await draw(
      new Float32Array(first + second).fill(5),
      {},
      [0, 10],
      runs,
    );
    if (each === 1) {
      assert.equal(pixels, undefined);
      const path = calls.filter(([name]) => name === "moveTo" || name === "lineTo");
      const begins = path.filter(([name]) => name === "moveTo").map(([, x]) => x);
      assert.equal(begins.length, 2);
      assert.equal(path.length, first + second);
      assert.ok(begins[1] > (first + 19) * (120 / (first + second + 20)));
      continue;
    }
    const empty = Array.from({ length: WIDTH }, (_, x) => x).filter((x) => rows(x).length === 0);
    assert.ok(Math.abs(empty[0] - 41) <= 1, `${empty}`);
    assert.ok(Math.abs(empty[empty.length - 1] - 59) <= 1, `${empty}`);
    assert.equal(empty.length, empty[empty.length - 1] - empty[0] + 1);
  }
});

test("each pixel has all from the lowest to the highest, joined to the one before", async () => {
  const { next } = random(8);
  const values = Float32Array.from({ length: 3000 }, () => 10 * next());
  const { rows } = await draw(values);
  const y = (/** @type {number} */ value) => 38 - (value / 10) * 36;
  for (let x = 0; x < WIDTH; x++) {
    // A run of sixteen timesteps stands in the pixel of its middle, and is joined to the one before.
    const [sure, perhaps] = [-8, 32].map((d) =>
      values.subarray(Math.max(0, x * 25 - d), (x + 1) * 25 + d),
    );
    const found = rows(x);
    assert.ok(Math.min(...found) <= y(Math.max(...sure)) + 1.5, `column ${x}`);
    assert.ok(Math.max(...found) >= y(Math.min(...sure)) - 1.5, `column ${x}`);
    assert.ok(Math.min(...found) >= y(Math.max(...perhaps)) - 1.5, `column ${x}`);
    assert.ok(Math.max(...found) <= y(Math.min(...perhaps)) + 1.5, `column ${x}`);
    assert.equal(found.length, Math.max(...found) - Math.min(...found) + 1);
  }
});

test("what leaves its range stays in its band", async () => {
  const { rows } = await draw(new Float32Array(5000).fill(1e9));
  assert.deepEqual(
    [Math.min(...rows(50)), Math.max(...rows(50))].map((y) => y >= 1 && y <= 3),
    [true, true],
  );
});

test("near by, a line goes from timestep to timestep, and a value alone is a dot", async () => {
  const { calls, pixels } = await draw([1, 2, NaN, 4, NaN, 6, 7, 8]);
  assert.equal(pixels, undefined);
  const to = calls.filter(([name]) => name === "moveTo" || name === "lineTo").map(([name]) => name);
  assert.deepEqual(to.slice(0, 6), ["moveTo", "lineTo", "moveTo", "moveTo", "lineTo", "lineTo"]);
  const dots = calls.filter(([name]) => name === "arc").map(([, x]) => Math.round(x));
  assert.ok(dots.includes(Math.round(3.5 * (WIDTH / 8))));
});

test("what lies between a line and zero is filled on its side", async () => {
  const below = await draw(
    new Float32Array(2000).fill(-5),
    { area: [0xff0000ff, 0xffff0000] },
    [-10, 10],
  );
  const { pixels, rows } = below;
  assert.ok(pixels);
  assert.equal(Math.min(...rows(60)), 20);
  assert.equal(pixels[22 * WIDTH + 60] & 0xffffff, 0x0000ff);
});
