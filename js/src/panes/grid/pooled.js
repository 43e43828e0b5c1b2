// Rows thinner than a pixel: each pixel shows the cell of the largest magnitude under it. Which one that
// is does not depend on the look, and stays when the pixel moves: a scroll step looks only at what has
// come into view.

import { BLOCK, NAN, ZERO } from "../../data/codes.js";

/** @typedef {import("../../data/source.js").AnySource} AnySource */
/** @typedef {Pick<Parameters<import("./painter.js").Painter["paint"]>[1], "source" | "order" | "runs" | "width" | "height" | "scroll" | "rowHeight">} What */

/**
 * What the pixels along one side cover: rows or bins, `first` to `last`; none where `first` is -1.
 * @typedef {{first: Int32Array, last: Int32Array}} Side
 */
/** @typedef {{source: AnySource, order: Int32Array, level: number, rows: Side, columns: Side}} View */

const CODES = 256;
/** Magnitudes that the codes of a cell stand for, besides NaN. */
const SIZES = 128;
/** The bits of a float64 that a float32 leaves free. */
const FREE = 2 ** 29 - 1;

export class Pooled {
  /** For each pixel `cell * 256 + code`; `cells * 256` where there is none. */
  ids = new Int32Array(0);
  #spare = new Int32Array(0);
  /** What the ids stand for. @type {View | undefined} */
  #view;
  #ranks = new Ranks();
  /** The highest rank in each bin of a stretch. */
  #best = new Int32Array(0);
  /** The cells whose tiles are on their way, by block. @type {Map<number, Set<number>>} */
  #missing = new Map();

  /**
   * Find the ids of all pixels.
   * @param {What} what
   * @returns {boolean} whether any may differ from those before
   */
  find({ source, order, runs, width, height, scroll, rowHeight }) {
    const old = this.#view;
    const same = source === old?.source && order === old.order && runs.level === old.level;
    if (source !== old?.source) this.#ranks = new Ranks(source);
    if (!same) this.#missing.clear();
    const rows = rowsUnder(order.length, height, scroll, rowHeight);
    const view = { source, order, level: runs.level, rows, columns: binsUnder(runs, width) };
    this.#view = view;
    const fromRows = origins(rows, same ? old.rows : undefined);
    const fromColumns = origins(view.columns, same ? old.columns : undefined);
    this.#lookAgain(view, fromColumns);
    const still =
      this.ids.length === width * height &&
      [fromRows, fromColumns].every((from) => from.every((origin, i) => origin === i));
    if (still) return false;

    const before = this.ids;
    const wide = old?.columns.first.length ?? 0;
    if (this.#spare.length !== width * height) this.#spare = new Int32Array(width * height);
    this.ids = this.#spare;
    this.#spare = before;
    const parts = stretches(fromColumns);
    for (let y = 0; y < height; y++) {
      if (fromRows[y] < 0) {
        this.#compute(view, y, 0, width);
        continue;
      }
      for (const { start, stop, origin } of parts) {
        if (origin < 0) this.#compute(view, y, start, stop);
        else {
          const at = fromRows[y] * wide + origin;
          this.ids.set(before.subarray(at, at + stop - start), y * width + start);
        }
      }
    }
    return true;
  }

  /**
   * Look for tiles that were missing, which asks for them again; pixels that have got some have no
   * origin any more. Tiles that aren't looked at again are shown as used: those in view must stay.
   * @param {View} view
   * @param {Int32Array} fromColumns
   */
  #lookAgain({ source, order, level, rows, columns }, fromColumns) {
    const top = rows.first[0];
    if (top < 0) return;
    const bottom = rows.first.reduce((most, _, y) => Math.max(most, rows.last[y]), top);
    const shown = new Set(order.subarray(top, bottom + 1));
    const blocks = new Set();
    columns.first.forEach((first, x) => {
      if (first < 0) return;
      blocks.add(Math.floor(first / BLOCK)).add(Math.floor(columns.last[x] / BLOCK));
    });
    const arrived = new Set();
    for (const [block, cells] of this.#missing) {
      for (const cell of cells) {
        if (!blocks.has(block) || !shown.has(cell)) cells.delete(cell);
        else if (source.tile(level, block, cell)) arrived.add(block);
      }
      if (arrived.has(block)) this.#missing.delete(block);
    }
    for (const block of blocks) source.tile(level, block, order[top]);
    if (arrived.size === 0) return;
    columns.first.forEach((first, x) => {
      const beside = Math.floor(columns.last[x] / BLOCK);
      if (arrived.has(Math.floor(first / BLOCK)) || arrived.has(beside)) fromColumns[x] = -1;
    });
  }

  /**
   * Find the ids of a part of one row of pixels. Cells are pooled bin by bin before bins are pooled into
   * pixels, which halves the work.
   * @param {View} view
   * @param {number} y
   * @param {number} start pixels
   * @param {number} stop
   */
  #compute({ source, order, level, rows, columns }, y, start, stop) {
    const { ids } = this;
    const width = columns.first.length;
    const none = source.layer.cells * CODES;
    let [a, b] = [start, stop];
    while (a < b && columns.first[a] < 0) a++;
    while (b > a && columns.first[b - 1] < 0) b--;
    if (a === b || rows.first[y] < 0) {
      ids.fill(none, y * width + start, y * width + stop);
      return;
    }
    const bin = columns.first[a];
    const bins = columns.last[b - 1] + 1 - bin;
    if (this.#best.length < bins) this.#best = new Int32Array(bins);
    const best = this.#best;
    best.fill(-1, 0, bins);
    for (let row = rows.first[y]; row <= rows.last[y]; row++) {
      this.#add(source, level, order[row], bin, bins);
    }
    const named = this.#ranks.ids;
    for (let x = start, at = y * width + start; x < stop; x++, at++) {
      ids[at] = none;
      if (columns.first[x] < 0) continue;
      const last = columns.last[x] - bin;
      let rank = -1;
      for (let i = columns.first[x] - bin; i <= last; i++) rank = higher(rank, best[i]);
      ids[at] = named[rank];
    }
  }

  /**
   * Put one cell to those in #best; what the overview knows of it where a tile is not there yet.
   * @param {AnySource} source
   * @param {number} level
   * @param {number} cell
   * @param {number} first bin
   * @param {number} count
   */
  #add(source, level, cell, first, count) {
    const ranks = this.#ranks.of(cell);
    const { overview, overviewLevel } = source;
    for (let bin = first; bin < first + count; ) {
      const block = Math.floor(bin / BLOCK);
      const end = Math.min(first + count, (block + 1) * BLOCK);
      const tile = source.tile(level, block, cell);
      if (tile) raise(this.#best, bin - first, end - first, ranks, tile, bin - block * BLOCK, 0);
      else {
        const missing = this.#missing.get(block);
        if (missing) missing.add(cell);
        else this.#missing.set(block, new Set([cell]));
        const coarse = overviewLevel - level;
        const bins = source.bins(overviewLevel);
        const row = overview.subarray(cell * bins, (cell + 1) * bins);
        raise(this.#best, bin - first, end - first, ranks, row, bin, coarse);
      }
      bin = end;
    }
  }
}

/**
 * The higher of two ranks. Not by a comparison: which one it is can't be foreseen, and a processor that
 * guesses wrong loses more time than all else here takes.
 * @param {number} a
 * @param {number} b
 */
function higher(a, b) {
  const less = (a - b) | 0;
  return (a - (less & (less >> 31))) | 0;
}

/**
 * Put the ranks of codes in place of lower ones.
 * @param {Int32Array} best
 * @param {number} start
 * @param {number} stop
 * @param {Int32Array} ranks
 * @param {Uint8Array} codes
 * @param {number} from the bin that stands at `start`
 * @param {number} coarse how many levels the codes are coarser than the bins
 */
function raise(best, start, stop, ranks, codes, from, coarse) {
  const offset = from - start;
  for (let i = start; i < stop; i++) {
    best[i] = higher(best[i], ranks[codes[(offset + i) >> coarse]]);
  }
}

/**
 * All codes of all cells in the order of their magnitudes, so that comparing two takes one whole number
 * each. NaN is above all, a positive above its opposite.
 */
class Ranks {
  /** @param {AnySource} [source] */
  constructor(source) {
    const cells = source?.layer.cells ?? 0;
    /** The rank of `cell * 256 + code`. */
    this.all = new Int32Array(cells * CODES);
    /** `cell * 256 + code` by rank. */
    this.ids = new Int32Array(cells * (CODES + 1));
    const count = cells * SIZES;
    const sizes = new Float64Array(count);
    // In the free bits stands whose magnitude it is.
    const words = new Int32Array(sizes.buffer);
    for (let at = 0; at < count; at++) {
      const scale = source?.statistics.largest[Math.floor(at / SIZES)] ?? 0;
      sizes[at] = Math.fround((at % SIZES) * scale);
      words[2 * at] |= at;
    }
    sizes.sort();
    for (let i = 0; i < count; i++) {
      const at = words[2 * i] & FREE;
      const zero = Math.floor(at / SIZES) * CODES + ZERO;
      this.#put(zero - (at % SIZES), 2 * i);
      this.#put(zero + (at % SIZES), 2 * i + 1);
    }
    for (let cell = 0; cell < cells; cell++) this.#put(cell * CODES + NAN, 2 * count + cell);
  }

  /**
   * @param {number} id
   * @param {number} rank
   */
  #put(id, rank) {
    this.all[id] = rank;
    this.ids[rank] = id;
  }

  /** The ranks of a cell's codes. @param {number} cell */
  of(cell) {
    return this.all.subarray(cell * CODES, (cell + 1) * CODES);
  }
}

/**
 * The rows under each pixel from top to bottom.
 * @param {number} count
 * @param {number} height
 * @param {number} scroll
 * @param {number} rowHeight
 * @returns {Side}
 */
function rowsUnder(count, height, scroll, rowHeight) {
  const first = new Int32Array(height).fill(-1);
  const last = new Int32Array(height).fill(-1);
  for (let y = 0; y < height; y++) {
    const start = Math.floor((y + scroll) / rowHeight);
    if (start >= count) break;
    first[y] = start;
    last[y] = Math.min(count, Math.max(start + 1, Math.floor((y + 1 + scroll) / rowHeight))) - 1;
  }
  return { first, last };
}

/**
 * The bins under each pixel from left to right.
 * @param {What["runs"]} runs
 * @param {number} width
 * @returns {Side}
 */
function binsUnder(runs, width) {
  const first = new Int32Array(width).fill(-1);
  const last = new Int32Array(width).fill(-1);
  for (let run = 0; run < runs.count; run++) {
    first.fill(runs.first[run], runs.from[run], runs.to[run]);
    last.fill(runs.last[run], runs.from[run], runs.to[run]);
  }
  return { first, last };
}

/**
 * Which pixel of before covered the same as each one now; -1 if none did.
 * @param {Side} now
 * @param {Side | undefined} before
 */
function origins(now, before) {
  const from = new Int32Array(now.first.length).fill(-1);
  if (!before) return from;
  const shift = place(now, before) ?? -(place(before, now) ?? 0);
  for (let i = 0; i < from.length; i++) {
    const same = now.first[i] === before.first[i + shift] && now.last[i] === before.last[i + shift];
    if (same) from[i] = i + shift;
  }
  return from;
}

/**
 * How much further on another side has what begins next to the start of this one.
 * @param {Side} side
 * @param {Side} other
 */
function place({ first, last }, other) {
  const begins = (/** @type {Int32Array} */ of, /** @type {number} */ i) =>
    of[i] >= 0 && of[i] !== of[i - 1];
  const at = first.findIndex((_, i) => i > 0 && begins(first, i));
  const found = other.first.findIndex(
    (start, i) => start === first[at] && other.last[i] === last[at] && begins(other.first, i),
  );
  return at < 0 || found < 0 ? undefined : found - at;
}

/**
 * Pixels side by side that all come from somewhere (then also side by side), or all from nowhere.
 * @param {Int32Array} from {@link origins}
 */
function stretches(from) {
  /** @type {{start: number, stop: number, origin: number}[]} */
  const all = [];
  from.forEach((origin, x) => {
    if (x > 0 && origin < 0 === from[x - 1] < 0) all[all.length - 1].stop = x + 1;
    else all.push({ start: x, stop: x + 1, origin });
  });
  return all;
}
