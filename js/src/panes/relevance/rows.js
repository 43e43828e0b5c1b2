// Where the examples stand as rows, and the words in them.

import { Ruler } from "../../canvas/ruler.js";
import { Shaper } from "../../canvas/shaper.js";
import { boxesOf, Shelf, WordRows } from "../../layout/word_rows.js";
import { Memo } from "../../lib/memo.js";
import { Recent } from "../../lib/recent.js";
import { visible } from "../../lib/tokens.js";
import { methodName } from "../../lib/wording.js";
import { counted } from "./words.js";

/** @typedef {import("../../data/examples.js").Row} Row */

/** A word's box in a band, the seam between two bands. */
export const BAND = 19;
export const SEAM = 1;
/** Between two lines of words. */
const APART = 4;
const FURTHER_APART = 9;
/** Above and below the words of an example. */
export const MARGIN = 6;
/** The most lines that an example has room for, unless one asks for more. */
const AUTO_LINES = 2;
export const LETTERS = 13;
/** The two lines at the left of an example. */
export const HEAD = 17;
/** Room for a probability. */
export const SURE = 42;
export const EDGE = 12;
const TOP = 0;
/** Room at the sides of a word; between two words. */
const PAD = 8;
const GAP = 3;
/** Of the monospaced font: how many characters a line has room for. */
const CHARACTER = 7.83;
/** Layouts that are kept. */
const KEPT = 400;

export class Rows {
  /** @type {Recent<number, {row: Row, key: string, rows: WordRows}>} */
  #layouts = new Recent(KEPT);
  #fonts = new Memo();
  /** Widths in the font of words, and in that of names. */
  letters = new Ruler();
  names = new Ruler();
  /** Which rank an example has. @type {{order: Uint32Array, ranks: Map<number, number>} | undefined} */
  #ranked;

  /**
   * @param {import("./frame.js").RelevanceFrame} frame
   * @param {import("../../canvas/scroller.js").Scroller} scroller in which they stand
   */
  constructor(frame, scroller) {
    this.frame = frame;
    this.state = frame.state;
    this.scroller = scroller;
    this.shaper = new Shaper(scroller.root);
  }

  /** Take the fonts of now. */
  dress() {
    const { mono, font } = this.frame.theme;
    if (!this.#fonts.changed([mono, font])) return;
    this.letters.use(mono);
    this.names.use(font);
    this.#layouts.clear();
  }

  /** Lengths of the columns and of a row, in CSS pixels. */
  get lengths() {
    const { summary, model } = this.state;
    const { number, classes, method } = this.columns;
    const bands = this.state.bands;
    const left = EDGE + number + 10 + classes + 12 + method;
    const room = Math.max(80, this.scroller.width - left - EDGE);
    const line = bands.length * (BAND + SEAM) - SEAM + (bands.length > 1 ? FURTHER_APART : APART);
    const apart = bands.length > 1 ? FURTHER_APART : APART;
    const need = (/** @type {number} */ long) => Math.max(1, Math.ceil((long * CHARACTER) / room));
    const wanted = model.get("lines") || Math.min(AUTO_LINES, need(summary.typical));
    const lines = Math.min(wanted, need(1.1 * summary.longest));
    const pitch = Math.max(2 * HEAD, lines * line - apart) + 2 * MARGIN + 1;
    return { number, classes, method, left, room, line, apart, lines, pitch };
  }

  /** Lengths of the columns at the left. */
  get columns() {
    const { summary } = this.state;
    const digits = counted(Math.max(0, summary.examples - 1)).length;
    const bands = this.state.bands;
    const named = Math.max(
      0,
      // The selected one is bold.
      ...bands.map((m) => 1.07 * this.names.measure(methodName(summary.methods[m].name), 11)),
    );
    return {
      number: Math.max(44, digits * 8),
      classes: this.#classesWidth,
      method: bands.length > 1 ? Math.ceil(named) + 8 : 0,
    };
  }

  /** As wide as the names of classes, within reason; the probability stands beside them. */
  get #classesWidth() {
    const { summary } = this.state;
    let widest = 0;
    for (const [, name] of summary.classes.slice(0, 100)) {
      widest = Math.max(widest, 1.07 * this.names.measure(visible(name.slice(0, 40)), 12));
    }
    return Math.ceil(Math.max(72, Math.min(widest, 0.14 * this.scroller.width, 160)) + SURE);
  }

  /**
   * Where the words of an example stand.
   * @param {number} example
   * @param {Row} row
   * @param {number} lines the most of them
   */
  layout(example, row, lines) {
    const { room } = this.lengths;
    const { timesteps } = this.state.summary;
    const { kind } = row.spelling;
    const letters = kind === "characters";
    const key = `${room} ${lines}`;
    const kept = this.#layouts.get(example);
    if (kept && kept.row === row && kept.key === key) return kept.rows;
    const boxes = boxesOf(row, timesteps, kind === "words" ? 2 : 4);
    const pad = letters ? 3 : kind === "words" ? PAD : PAD / 2;
    const rows = new WordRows(
      boxes,
      boxes.map(({ text }) =>
        Math.max(BAND - 1, Math.ceil(this.letters.measure(text, LETTERS)) + pad),
      ),
      {
        width: room,
        gap: letters ? SEAM : GAP,
        seam: SEAM,
        lines,
        chip: (cut) => this.names.measure(this.chip(cut), 11) + 14,
      },
    );
    const { mono } = this.frame.theme;
    rows.settle(row.spelling, GAP, (pieces, rtl) =>
      this.shaper.places(pieces, rtl, `${LETTERS}px ${mono}`),
    );
    this.#layouts.set(example, { row, key, rows });
    return rows;
  }

  /** How wide the whole is; 0: as wide as what is seen. */
  get width() {
    return 0;
  }

  /** How far from the first word of a line something is. @param {number} x */
  along(x) {
    return x - this.lengths.left;
  }

  /**
   * What is at a height of a line: the number of a method, and of a series that of a channel.
   * @param {number} y
   * @returns {{method: number, channel?: number} | undefined}
   */
  bandAt(y) {
    const method = this.state.bands[Math.floor(y / (BAND + SEAM))];
    return method === undefined ? undefined : { method };
  }

  /** How high what is outlined of a line is. */
  get high() {
    return this.state.bands.length * (BAND + SEAM) - SEAM;
  }

  /** The note that so many timesteps are not drawn. @param {number} cut */
  chip(cut) {
    return `… ${cut} more`;
  }

  /**
   * The words of an example as they are shown now: all of the selected one, if it is unfolded or its
   * selected word would not be seen.
   * @param {number} example
   * @param {Row} row
   */
  shown(example, row) {
    const { lines } = this.lengths;
    const { model } = this.state;
    const folded = this.layout(example, row, lines);
    if (folded.cut === 0 || example !== model.get("example")) return folded;
    const hidden = folded.boxOf(model.get("timestep")) >= folded.count;
    return hidden || model.get("unfolded") ? this.layout(example, row, Infinity) : folded;
  }

  /** The rank of an example; -1 if it is not shown. @param {number} example */
  rankOf(example) {
    const { order } = this.state;
    if (!order) return -1;
    if (this.#ranked?.order !== order) {
      this.#ranked = { order, ranks: new Map(Array.from(order, (each, rank) => [each, rank])) };
    }
    return this.#ranked.ranks.get(example) ?? -1;
  }

  /** Where the rows stand. */
  get shelf() {
    const { model, order, examples } = this.state;
    const { pitch, line, lines, apart } = this.lengths;
    const example = model.get("example");
    const open = this.rankOf(example);
    const row = open >= 0 ? examples.row(example) : undefined;
    const shown = row ? this.shown(example, row).lines : 0;
    const extra = shown > lines ? Math.max(0, shown * line - apart + 2 * MARGIN + 1 - pitch) : 0;
    return new Shelf({ count: order?.length ?? 0, pitch, top: TOP, open, extra });
  }
}
