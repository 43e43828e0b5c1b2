// Where the bands of a cell's signals stand, and the scales of their values.

import { changeAt, Extent, signalsOf } from "../../data/changes.js";
import { BLOCK } from "../../data/codes.js";
import { WholeSource } from "../../data/source.js";
import { clamp } from "../../lib/clamp.js";

/** @typedef {import("../../data/source.js").AnySource} AnySource */
/** @typedef {import("../../data/changes.js").Signals} Signals */

/** Heights of bands: of signals on both sides of zero, of gates, of the change. */
const SIGNED = 42;
const GATE = 32;
const WHY = 92;
const APART = 8;
/** Below the last. */
export const ENDS = 6;

/**
 * One band of the picture.
 * @typedef {object} Band
 * @property {string} signal "" for the change
 * @property {number} top
 * @property {number} height
 * @property {[number, number]} range the values at its bottom and top
 */

export class Bands {
  /** @type {Band[]} */
  all = [];
  /** How high all of them are together, on their own. */
  natural = 0;
  /** What each band was seen to reach, of one cell; and in which blocks it was looked for. */
  #extents = {
    source: /** @type {unknown} */ (undefined),
    cell: -1,
    blocks: /** @type {Map<AnySource, Set<number>>} */ (new Map()),
    of: /** @type {Map<string, Extent>} */ (new Map()),
  };

  /** Where the last one ends, and what stands below it. */
  get bottom() {
    const last = this.all[this.all.length - 1];
    return last ? last.top + last.height + ENDS : 0;
  }

  /**
   * Say where the bands stand, one under the other.
   * @param {import("../../data/layer.js").Layer} layer
   * @param {number} head how high what stands above them is
   * @param {number} stretched how high they are and how far apart, as a share of what they are on their own
   * @param {boolean} differs whether values are differences, of which no equation holds
   */
  place(layer, head, stretched, differs) {
    let top = head + 2;
    const apart = Math.round(APART * stretched);
    this.natural = 0;
    const band = (/** @type {string} */ signal) => {
      const extent = this.#extents.of.get(signal) ?? new Extent();
      const range = extent.range(signal.endsWith("_gate") && !differs);
      const natural = signal === "" ? WHY : range[0] < 0 ? SIGNED : GATE;
      const height = Math.round(natural * stretched);
      const made = { signal, top, height, range };
      top += height + apart;
      this.natural += natural + APART;
      return made;
    };
    this.all = layer.signals.map(band);
    if (differs) return;
    top += apart;
    this.all.push(band(""));
  }

  /**
   * See how far values reach: in all of the recording, and of its variants, if it is in the page, else in
   * what is in view, and was of other variants.
   * @param {AnySource} source
   * @param {Signals} signals
   * @param {number} first
   * @param {number} last
   */
  measure(source, signals, first, last) {
    const { cell } = signals;
    const { ordered } = source;
    if (this.#extents.source !== ordered || this.#extents.cell !== cell) {
      this.#extents = { source: ordered, cell, blocks: new Map(), of: new Map() };
    }
    const all = source instanceof WholeSource;
    const every = all ? source.every : [source];
    const from = all ? 0 : Math.floor(first / BLOCK);
    const to = Math.floor((all ? source.columns - 1 : last) / BLOCK);
    for (const one of every) {
      const of = one === source ? signals : signalsOf(one, cell);
      for (let block = from; block <= to; block++) this.#measureBlock(one, of, block);
    }
  }

  /**
   * @param {AnySource} source
   * @param {Signals} signals
   * @param {number} block
   */
  #measureBlock(source, signals, block) {
    const { cell, of } = this.#extents;
    const blocks = this.#extents.blocks.get(source) ?? new Set();
    this.#extents.blocks.set(source, blocks);
    const rows = blocks.has(block) ? undefined : source.series(block, cell);
    if (!rows) return;
    blocks.add(block);
    const extent = (/** @type {string} */ signal) => {
      const made = of.get(signal) ?? new Extent();
      of.set(signal, made);
      return made;
    };
    source.layer.signals.forEach((signal, i) => {
      const one = extent(signal);
      for (const value of rows[i]) one.add(value);
    });
    if (source.less) return;
    const change = extent("");
    for (let i = 0; i < rows[0].length; i++) {
      const column = block * BLOCK + i;
      const happened = changeAt(signals, column);
      if (!happened) continue;
      const { keep, write } = happened;
      const [a, b] = [keep || 0, write || 0];
      change.add(Math.max(a, 0) + Math.max(b, 0));
      change.add(Math.min(a, 0) + Math.min(b, 0));
      change.add(happened.change);
    }
  }
}

/**
 * Where a value stands, on a whole pixel.
 * @param {Band} band
 * @param {number} value
 */
export function yOf({ top, height, range: [low, high] }, value) {
  const share = (clamp(value, low, high) - low) / (high - low);
  return Math.round(top + (1 - share) * (height - 1));
}
