import assert from "node:assert/strict";
import { test } from "node:test";
import { BLOCK, encode, halve, NAN, ZERO } from "../../../src/data/codes.js";
import { Columns, runs } from "../../../src/layout/columns.js";
import { Pooled } from "../../../src/panes/grid/pooled.js";
import { random } from "../../load.mjs";

/** A kernel that answers when it is told to: which tiles have come, and which were asked for. */
class SlowSource {
  version = 0;
  /** @type {Set<string>} */
  come = new Set();
  /** @type {Set<string>} */
  asked = new Set();

  /**
   * @param {number[][]} rows
   * @param {number} examples
   * @param {number} overviewLevel
   */
  constructor(rows, examples, overviewLevel) {
    this.columns = rows[0].length;
    this.layer = { cells: rows.length, examples, timesteps: this.columns / examples };
    const finite = rows.map((row) => row.filter(Number.isFinite).map(Math.abs));
    this.statistics = { largest: Float32Array.from(finite.map((row) => Math.max(0, ...row))) };
    this.levels = [
      rows.map((row, i) => encode(Float32Array.from(row), this.statistics.largest[i])),
    ];
    while (this.levels.length < 12)
      this.levels.push(this.levels[this.levels.length - 1].map(halve));
    this.overviewLevel = overviewLevel;
    const bins = this.bins(overviewLevel);
    this.overview = new Uint8Array(rows.length * bins);
    for (const [cell, codes] of this.levels[overviewLevel].entries()) {
      this.overview.set(codes, cell * bins);
    }
  }

  /** @param {number} level */
  bins(level) {
    return Math.ceil(this.columns / 2 ** level);
  }

  /** @param {number} level @param {number} block @param {number} cell */
  tile(level, block, cell) {
    assert.ok(cell in this.levels[level] && block >= 0 && block * BLOCK < this.bins(level));
    const key = `${level} ${block} ${cell}`;
    if (level < this.overviewLevel && !this.come.has(key)) {
      this.asked.add(key);
      return undefined;
    }
    return this.levels[level][cell].subarray(block * BLOCK, (block + 1) * BLOCK);
  }

  /** The code that can be shown for a bin. @param {number} level @param {number} bin @param {number} cell */
  code(level, bin, cell) {
    const there =
      level >= this.overviewLevel || this.come.has(`${level} ${Math.floor(bin / BLOCK)} ${cell}`);
    const at = Math.floor((bin * 2 ** level) / 2 ** this.overviewLevel);
    return there ? this.levels[level][cell][bin] : this.levels[this.overviewLevel][cell][at];
  }

  /** @param {number} cell @param {number} code */
  size(cell, code) {
    if (code === NAN) return Number.POSITIVE_INFINITY;
    return Math.fround(Math.abs(code - ZERO) * this.statistics.largest[cell]);
  }
}

/** @param {ReturnType<typeof random>} draw @param {number} cells @param {number} columns */
function valuesOf(draw, cells, columns) {
  return Array.from({ length: cells }, (_, cell) => {
    const scale = cell % 7 === 0 ? 0 : draw.next() * 10 ** draw.integer(-3, 1);
    return Array.from({ length: columns }, () => {
      const kind = draw.integer(0, 400);
      if (kind < 2) return [Number.NaN, Number.NEGATIVE_INFINITY][kind];
      return scale * (2 * draw.next() - 1);
    });
  });
}

/**
 * Look at every pixel by itself: it must show a code that is under it, and none may be larger.
 * @param {SlowSource} source
 * @param {any} what
 * @param {Int32Array} ids
 * @returns {Set<string>} the tiles that it takes
 */
function check(source, { order, runs, width, height, scroll, rowHeight }, ids) {
  const needed = new Set();
  const none = source.layer.cells * 256;
  const runAt = new Int32Array(width).fill(-1);
  for (let run = 0; run < runs.count; run++) runAt.fill(run, runs.from[run], runs.to[run]);
  for (let y = 0; y < height; y++) {
    const start = Math.floor((y + scroll) / rowHeight);
    const stop = Math.max(start + 1, Math.floor((y + 1 + scroll) / rowHeight));
    const cells = order.subarray(start, stop);
    for (let x = 0; x < width; x++) {
      const id = ids[y * width + x];
      const run = runAt[x];
      if (run < 0 || cells.length === 0) {
        assert.equal(id, none, `${x}, ${y}: nothing is there`);
        continue;
      }
      let [largest, found] = [-1, false];
      for (const cell of cells) {
        for (let bin = runs.first[run]; bin <= runs.last[run]; bin++) {
          needed.add(`${runs.level} ${Math.floor(bin / BLOCK)} ${cell}`);
          const code = source.code(runs.level, bin, cell);
          largest = Math.max(largest, source.size(cell, code));
          found ||= id === cell * 256 + code;
        }
      }
      assert.ok(found, `${x}, ${y}: cell ${id >> 8} with code ${id & 255} is not under it`);
      assert.equal(source.size(id >> 8, id & 255), largest, `${x}, ${y}`);
    }
  }
  return needed;
}

for (const seed of [1, 2, 3, 4, 5, 6]) {
  test(`whatever moves, sorts and arrives, each pixel shows the strongest under it (${seed})`, () => {
    const draw = random(seed);
    const cells = draw.integer(30, 90);
    const examples = draw.pick([1, 1, 9]);
    const timesteps = Math.floor(6000 / examples);
    const another = (/** @type {number} */ level) =>
      new SlowSource(valuesOf(draw, cells, examples * timesteps), examples, level);
    let source = another(6);
    const pooled = new Pooled();
    let order = Int32Array.from({ length: cells }, (_, i) => i);
    let [width, height] = [90, 20];
    let [square, rowHeight] = [0.3, 0.4];
    let ratio = 1;
    let [left, top] = [0, 0];
    let drawn = 0;
    for (let step = 0; step < 120; step++) {
      const act = draw.integer(0, 12);
      if (act < 4) left += draw.integer(-40, 60) / draw.pick([1, 1, 1, 2, 3]);
      else if (act < 6) top += draw.integer(-6, 8);
      else if (act === 6) left = draw.next() * examples * timesteps * square;
      else if (act === 7) square = draw.pick([0.02, 0.1, 0.3, 0.9, 1, 3]);
      else if (act === 8) order = Int32Array.from(order).reverse().slice(draw.integer(0, 1));
      else if (act === 9) [width, height] = [draw.integer(20, 120), draw.integer(5, 30)];
      else if (act === 10) [rowHeight, ratio] = [draw.pick([0.2, 0.4, 0.97]), draw.pick([1, 1.5])];
      else if (act === 11 && draw.next() < 0.2) source = another(4);
      else {
        for (const key of source.asked) if (draw.next() < 0.6) source.come.add(key);
        source.version++;
      }
      const columns = new Columns(examples, timesteps, square);
      left = Math.max(0, Math.min(left, columns.total - width / ratio));
      top = Math.max(0, Math.min(top, order.length * rowHeight - 3));
      const pixels = Math.min(width, Math.ceil((columns.total - left) * ratio));
      const what = {
        ...{ source: /** @type {any} */ (source), order, width, height, scroll: top, rowHeight },
        runs: runs(columns, left, pixels, ratio),
      };
      source.asked.clear();
      const ids = pooled.ids.slice();
      if (pooled.find(what)) drawn++;
      else assert.deepEqual(pooled.ids, ids);
      const needed = check(source, what, pooled.ids);
      const missing = [...needed].filter((key) => !source.come.has(key)).sort();
      const expected = what.runs.level < source.overviewLevel ? missing : [];
      assert.deepEqual([...source.asked].sort(), expected, "asks for what is missing in view");
    }
    assert.ok(drawn > 60);
  });
}

test("a scroll step looks only at the tiles that have come into view", () => {
  const source = new SlowSource(valuesOf(random(7), 60, 6000), 1, 0);
  const { tile } = source;
  let looked = 0;
  source.tile = (...where) => {
    looked++;
    return tile.apply(source, where);
  };
  const pooled = new Pooled();
  const columns = new Columns(1, 6000, 1);
  const order = Int32Array.from({ length: 60 }, (_, i) => i);
  const look = { order, width: 1500, height: 24, scroll: 0, rowHeight: 0.4 };
  const find = (/** @type {number} */ left) => {
    looked = 0;
    const what = {
      ...look,
      runs: runs(columns, left, 1500, 1),
      source: /** @type {any} */ (source),
    };
    return [pooled.find(what), looked];
  };
  // One look at each block tells the source that it is in view.
  const blocks = 3;
  assert.deepEqual(find(0), [true, 60 * blocks + blocks]);
  assert.deepEqual(find(0), [false, blocks]);
  assert.deepEqual(find(20), [true, 60 + blocks]);
  assert.deepEqual(find(0), [true, 60 + blocks]);
});
