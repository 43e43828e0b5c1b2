// Where the words of one example stand: boxes in lines that are wrapped to the width. Whole CSS pixels.

import { clamp } from "../lib/clamp.js";
import { directionOf, hasFromRight, LONGEST } from "../lib/tokens.js";

/**
 * Some timesteps of an example.
 * @typedef {{start: number, stop: number, padding: boolean, text: string, joined: boolean}} Box
 * @property joined whether it goes on with the word of the box before
 */

/**
 * What is drawn of an example: a box for each timestep, and one for a run of padding.
 * @param {import("../data/examples.js").Row} row
 * @param {number} timesteps
 * @param {number} run from how many timesteps on padding is one box
 * @returns {Box[]}
 */
export function boxesOf(row, timesteps, run) {
  const boxes = [];
  const { spelling } = row;
  for (let t = 0; t < timesteps; ) {
    const padding = row.padding(t);
    let stop = t + 1;
    while (padding && stop < timesteps && row.padding(stop)) stop++;
    if (padding && stop - t < run) stop = t + 1;
    const token = row.token(t);
    const own = token === undefined ? String(t) : spelling.label(token.slice(0, LONGEST));
    const last = token === undefined || padding || t === 0 ? undefined : row.token(t - 1);
    const joined = last !== undefined && !spelling.parted(last, token ?? "");
    const text = stop - t > 1 ? `${stop - t} × padding` : own;
    boxes.push({ start: t, stop, padding, text, joined });
    t = stop;
  }
  return boxes;
}

/**
 * @typedef {object} Style
 * @property {number} width room of a line
 * @property {number} gap between two words
 * @property {number} seam between two boxes of one
 * @property {number} lines the most lines; what is beyond is cut
 * @property {(cut: number) => number} chip how wide the note is that so many timesteps are cut
 */

export class WordRows {
  /**
   * @param {Box[]} boxes
   * @param {number[]} sizes how wide each wants to be
   * @param {Style} style
   */
  constructor(boxes, sizes, { width, gap, seam, lines, chip }) {
    this.boxes = boxes;
    /** Whether the example runs from right to left. */
    this.rtl = false;
    /** The text of lines that are drawn as a whole. @type {(string | undefined)[]} */
    this.texts = [];
    this.left = new Int32Array(boxes.length);
    this.widths = Int32Array.from(sizes, (size) => Math.min(size, width));
    /** The first box of each line, of all that there are. */
    const starts = boxes.length ? [0] : [];
    let right = 0;
    let word = 0;
    boxes.forEach(({ joined }, i) => {
      if (!joined) word = i;
      let x = right && right + (joined ? seam : gap);
      if (x > 0 && x + this.widths[i] > width) {
        // Its word goes with it, if there is room for that.
        const first = word > starts[starts.length - 1] ? word : i;
        starts.push(first);
        const shift = first < i ? this.left[first] : x;
        for (let moved = first; moved < i; moved++) this.left[moved] -= shift;
        x -= shift;
      }
      this.left[i] = x;
      right = x + this.widths[i];
    });
    /** How many lines there would be with room for all. */
    this.needed = Math.max(1, starts.length);
    this.starts = Uint32Array.from(starts.slice(0, lines));
    /** How many boxes are drawn. */
    this.count = starts.length > lines ? starts[lines] : boxes.length;
    /** How many timesteps are not, and where the note of it stands. */
    this.cut = 0;
    this.chip = 0;
    if (this.count === boxes.length) return;
    const first = this.starts[this.starts.length - 1];
    const end = (/** @type {number} */ i) => this.left[i] + this.widths[i] + gap;
    const after = () => boxes[boxes.length - 1].stop - boxes[this.count - 1].stop;
    while (this.count > first + 1 && end(this.count - 1) + chip(after()) > width) this.count--;
    this.cut = after();
    this.chip = end(this.count - 1);
  }

  get lines() {
    return this.starts.length;
  }

  /**
   * Put the boxes of lines where their text has them in which something runs from right to left.
   * @param {import("../data/spelling.js").Spelling} spelling
   * @param {number} gap between two words
   * @param {(pieces: {before: string, text: string}[], rtl: boolean) => {left: number, right: number}[]} places
   *   where the boxes of a line stand that is set as a whole
   */
  settle(spelling, gap, places) {
    if (!this.boxes.some(({ text }) => hasFromRight(text))) return;
    this.rtl = directionOf(this.boxes.map(({ text }) => text).join(" ")) === "rtl";
    for (let line = 0; line < this.lines; line++) {
      const [start, stop] = [this.starts[line], this.end(line)];
      const pieces = this.boxes.slice(start, stop).map(({ text, joined }, i) => ({
        before: joined || i === 0 ? "" : " ",
        text,
      }));
      const found = places(pieces, this.rtl);
      if (spelling.kind === "words") {
        const order = found.map((_, i) => i).sort((a, b) => found[a].left - found[b].left);
        let x = 0;
        for (const i of order) {
          this.left[start + i] = x;
          x += this.widths[start + i] + gap;
        }
        continue;
      }
      this.texts[line] = pieces.map(({ before, text }) => before + text).join("");
      found.forEach(({ left, right }, i) => {
        this.left[start + i] = Math.round(left);
        this.widths[start + i] = Math.max(1, Math.round(right) - Math.round(left));
      });
    }
  }

  /** The line of a box. @param {number} box */
  lineOf(box) {
    let line = this.lines - 1;
    while (line > 0 && this.starts[line] > box) line--;
    return line;
  }

  /** The box of a timestep. @param {number} timestep */
  boxOf(timestep) {
    return this.boxes.findIndex((box) => timestep < box.stop);
  }

  /** Where a line ends: its last box and one. @param {number} line */
  end(line) {
    return Math.min(this.count, this.starts[line + 1] ?? this.count);
  }

  /**
   * The box of a line that is nearest to a place.
   * @param {number} line
   * @param {number} x
   */
  nearest(line, x) {
    let best = this.starts[line];
    const off = (/** @type {number} */ i) =>
      Math.max(0, this.left[i] - x, x - this.left[i] - this.widths[i] + 1);
    for (let i = best + 1; i < this.end(line); i++) if (off(i) < off(best)) best = i;
    return best;
  }

  /**
   * The box under a place; -1 if there is none.
   * @param {number} line
   * @param {number} x
   */
  at(line, x) {
    if (line < 0 || line >= this.lines) return -1;
    const box = this.nearest(line, x);
    return x >= this.left[box] && x < this.left[box] + this.widths[box] ? box : -1;
  }
}

/** How rows of equal height stand under each other, one of them unfolded to more. */
export class Shelf {
  /**
   * @param {{count: number, pitch: number, top: number, open?: number, extra?: number}} shelf how many rows,
   *   how high, what is above; the row that is unfolded, by how much
   */
  constructor({ count, pitch, top, open = -1, extra = 0 }) {
    this.count = count;
    this.pitch = pitch;
    this.top = top;
    this.open = open;
    this.extra = open >= 0 ? extra : 0;
  }

  get height() {
    return this.count * this.pitch + this.extra + 2 * this.top;
  }

  /** Where a row begins. @param {number} rank */
  start(rank) {
    return this.top + rank * this.pitch + (rank > this.open ? this.extra : 0);
  }

  /** How high a row is. @param {number} rank */
  size(rank) {
    return this.pitch + (rank === this.open ? this.extra : 0);
  }

  /** The row at a height; the nearest if there is none. @param {number} y */
  at(y) {
    const past = this.extra && y >= this.start(this.open) + this.pitch;
    const inside = past && y < this.start(this.open) + this.size(this.open);
    const rank = inside
      ? this.open
      : Math.floor((y - this.top - (past ? this.extra : 0)) / this.pitch);
    return clamp(rank, 0, this.count - 1);
  }
}
