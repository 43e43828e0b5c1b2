// Where columns stand: examples end to end with gaps between, at any zoom. Lengths in CSS pixels.

import { clamp } from "../lib/clamp.js";

/** Widths of a square to zoom through; below 1 the steps go on by halves. */
const SQUARES = [1, 2, 3, 4, 6, 8, 10, 12, 15, 18, 22, 28, 36, 48, 64];
/** From this width on, columns are whole pixels; narrower ones would leave too much room empty. */
const CRISP = 6;
/** No square is narrower: 2 ** 20 timesteps a pixel. */
const NARROWEST = 2 ** -20;

/**
 * The gap between two examples: none where an example is a few pixels wide.
 * @param {number} width of a column
 * @param {number} timesteps
 */
function gapFor(width, timesteps) {
  if (width * timesteps < 8) return 0;
  return clamp(Math.round(width * 0.4), 2, 8);
}

export class Columns {
  /**
   * @param {number} examples
   * @param {number} timesteps
   * @param {number} width of a column
   */
  constructor(examples, timesteps, width) {
    this.examples = examples;
    this.timesteps = timesteps;
    this.width = width;
    this.gap = examples > 1 ? gapFor(width, timesteps) : 0;
    this.pitch = timesteps * width + this.gap;
    this.total = Math.max(0, examples * this.pitch - this.gap);
  }

  /** Where a column starts. @param {number} column */
  start(column) {
    const example = Math.floor(column / this.timesteps);
    return example * this.pitch + (column - example * this.timesteps) * this.width;
  }

  /** Where a column ends. @param {number} column */
  end(column) {
    const example = Math.floor(column / this.timesteps);
    return example * this.pitch + (column + 1 - example * this.timesteps) * this.width;
  }

  /**
   * The first and last column of which any part lies between two places; none if first > last.
   * @param {number} from
   * @param {number} to
   * @returns {[number, number]}
   */
  between(from, to) {
    const { timesteps, pitch, width, examples } = this;
    const a = Math.max(0, Math.floor(from / pitch));
    const first = a * timesteps + Math.min(timesteps, Math.floor((from - a * pitch) / width));
    const b = Math.floor(to / pitch);
    const last = b * timesteps + Math.min(timesteps, Math.ceil((to - b * pitch) / width)) - 1;
    return [Math.max(0, first), Math.min(examples * timesteps - 1, last)];
  }

  /**
   * The column under a place, or -1 in a gap and outside.
   * @param {number} x
   */
  at(x) {
    if (x < 0 || x >= this.total) return -1;
    const example = Math.floor(x / this.pitch);
    const timestep = Math.floor((x - example * this.pitch) / this.width);
    return timestep < this.timesteps ? example * this.timesteps + timestep : -1;
  }

  /**
   * The column nearest to a place.
   * @param {number} x
   */
  nearest(x) {
    const example = clamp(Math.floor(x / this.pitch), 0, this.examples - 1);
    const timestep = Math.floor((x - example * this.pitch) / this.width);
    return example * this.timesteps + clamp(timestep, 0, this.timesteps - 1);
  }
}

/**
 * The widest column with which everything fits.
 * @param {number} examples
 * @param {number} timesteps
 * @param {number} room
 */
export function fitWidth(examples, timesteps, room) {
  const count = examples * timesteps;
  if (count === 0) return 15;
  for (let width = 22; width >= 1; width -= width > CRISP ? 1 : 0.05) {
    if (new Columns(examples, timesteps, width).total <= room) return width;
  }
  const spaced = (room - 2 * (examples - 1)) / count;
  return spaced * timesteps >= 8 ? spaced : Math.min(7.99 / timesteps, room / count);
}

/**
 * The highest row with which all fit.
 * @param {number} rows
 * @param {number} room
 */
export function fitHeight(rows, room) {
  const height = Math.min(22, room / Math.max(1, rows));
  return height > CRISP ? Math.floor(height) : height;
}

/**
 * The square that fingers ask for.
 * @param {number} wanted
 */
export function squareOf(wanted) {
  const most = SQUARES[SQUARES.length - 1];
  return clamp(wanted >= CRISP ? Math.round(wanted) : wanted, NARROWEST, most);
}

/**
 * The next square to zoom to.
 * @param {number} square
 * @param {number} direction 1 in, -1 out
 */
export function zoomStep(square, direction) {
  if (direction > 0) {
    if (square < 1) return Math.min(1, square * 2);
    return SQUARES.find((s) => s > square) ?? square;
  }
  if (square <= 1) return Math.max(NARROWEST, square / 2);
  return Math.max(...SQUARES.filter((s) => s < square));
}

/**
 * What each pixel column shows, as runs of pixels that show the same.
 * @param {Columns} columns
 * @param {number} scroll
 * @param {number} pixels how many, in device pixels
 * @param {number} ratio device pixels a CSS pixel
 * @returns {{level: number, count: number, cut: number, first: Int32Array, last: Int32Array, from: Int32Array, to: Int32Array}}
 *   runs: bins `first` to `last` (inclusive) of a level, on the pixels `from` to `to`; the first run
 *   has `cut` more pixels beyond the edge
 */
export function runs(columns, scroll, pixels, ratio) {
  const width = columns.width * ratio;
  const level = width >= 1 ? 0 : Math.floor(Math.log2(1 / width));
  const most = pixels + 2;
  const first = new Int32Array(most);
  const last = new Int32Array(most);
  const from = new Int32Array(most);
  const to = new Int32Array(most);
  let count = 0;
  let cut = 0;
  const add = (/** @type {number[]} */ [a, b, x0, x1]) => {
    first[count] = a >> level;
    last[count] = b >> level;
    from[count] = x0;
    to[count] = x1;
    count++;
  };
  if (width >= 1) {
    let column = columns.examples * columns.timesteps > 0 ? columns.nearest(scroll) : 0;
    for (; column < columns.examples * columns.timesteps; column++) {
      const x = (columns.start(column) - scroll) * ratio;
      if (Math.round(x) >= pixels) break;
      const x0 = Math.max(0, Math.round(x));
      const x1 = Math.min(pixels, Math.round((columns.end(column) - scroll) * ratio));
      if (x1 <= x0) continue;
      if (count === 0) cut = Math.max(0, -Math.round(x));
      add([column, column, x0, x1]);
    }
  } else {
    for (let x = 0; x < pixels; x++) {
      const [a, b] = columns.between(scroll + x / ratio, scroll + (x + 1) / ratio);
      if (a <= b) add([a, b, x, x + 1]);
    }
  }
  return { level, count, cut, first, last, from, to };
}
