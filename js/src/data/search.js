// Finding a text among tokens: where it stands, as columns. The same as lstm_widgets/widgets/page/search.py.

import { placeFrom } from "../lib/sorted.js";

/** Places that are kept at most; the first ones. */
export const MOST_HITS = 100_000;

/**
 * What a token adds to the running text: what stands before it, and itself.
 * @typedef {{before: string, text: string}} Piece
 */

/**
 * Where a text stands, capitals or not.
 * @param {Iterable<Piece>} pieces of one example, in order
 * @param {string} query
 * @returns {[start: number, stop: number][]} tokens that it touches, stop excluded; they don't overlap in
 *   the text
 */
export function hitsOf(pieces, query) {
  const wanted = query.toLowerCase();
  if (!wanted) return [];
  /** Where each token's own text begins and ends in all of it. */
  const starts = [];
  const stops = [];
  let whole = "";
  for (const { before, text } of pieces) {
    whole += before.toLowerCase();
    starts.push(whole.length);
    whole += text.toLowerCase();
    stops.push(whole.length);
  }
  /** @type {[number, number][]} */
  const hits = [];
  let token = 0;
  let at = whole.indexOf(wanted);
  while (at >= 0 && hits.length < MOST_HITS) {
    const end = at + wanted.length;
    while (token < stops.length && stops[token] <= at) token++;
    let stop = token;
    while (stop < starts.length && starts[stop] < end) stop++;
    if (stop > token) hits.push([token, stop]); // of nothing but the space between two words there is none
    at = whole.indexOf(wanted, end);
  }
  return hits;
}

/**
 * The places of a text in a layer, in order, as columns.
 */
export class Hits {
  /**
   * @param {string} query
   * @param {Uint32Array} starts
   * @param {Uint32Array} stops excluded
   */
  constructor(query, starts, stops) {
    this.query = query;
    this.starts = starts;
    this.stops = stops;
  }

  get count() {
    return this.starts.length;
  }

  /** Whether there are more than are kept. */
  get cut() {
    return this.count >= MOST_HITS;
  }

  /**
   * Which one a column is in, or the last one before it; -1 before the first.
   * @param {number} column
   */
  at(column) {
    return placeFrom(this.starts, column + 1) - 1;
  }

  /**
   * The next one after a column, or before it; round the end. There is at least one.
   * @param {number} column
   * @param {number} way 1 or -1
   */
  next(column, way) {
    const here = this.at(column);
    const within = here >= 0 && this.starts[here] === column;
    const step = way > 0 ? here + 1 : within ? here - 1 : here;
    return (step + this.count) % this.count;
  }

  /**
   * A bit for each column, set where a place is.
   * @param {number} columns
   */
  bits(columns) {
    const bits = new Uint8Array(Math.ceil(columns / 8));
    this.starts.forEach((start, i) => {
      for (let c = start; c < this.stops[i]; c++) bits[c >> 3] |= 1 << (c & 7);
    });
    return bits;
  }
}
