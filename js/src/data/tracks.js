// Concept tracks: what is said of each token beside the signals, as lstm_widgets/widgets/page/tracks.py sent it.

import { bytes } from "../host/model.js";
import { inLine } from "../lib/tokens.js";
import { minus, number, shortRange, stepped } from "../lib/wording.js";

/** The code of no value. */
export const NONE = 255;

/**
 * One track as Python describes it.
 * @typedef {object} Sent
 * @property {string} name
 * @property {number} start where its codes begin
 * @property {number[] | null} values what codes stand for, rising; null for yes or no, a bit each
 * @property {boolean} exact whether these are the very values
 */

export class Track {
  /**
   * @param {Sent} sent
   * @param {number} index which one it is
   * @param {Uint8Array} codes of all tracks
   */
  constructor({ name, start, values, exact }, index, codes) {
    this.name = name;
    /** As it is written. */
    this.title = inLine(name);
    this.index = index;
    this.values = values;
    this.exact = exact;
    this.codes = codes.subarray(start);
  }

  /** 0 for no, 1 for yes, or the place of its value. @param {number} column */
  code(column) {
    return this.values ? this.codes[column] : (this.codes[column >> 3] >> (column & 7)) & 1;
  }

  /** How many codes a number of columns takes. @param {number} columns */
  room(columns) {
    return this.values ? columns : Math.ceil(columns / 8);
  }

  /**
   * The highest code of some columns; padding has none.
   * @param {{padding: (column: number) => boolean}} source
   * @param {number} from
   * @param {number} to
   */
  top(source, from, to) {
    let highest = -1;
    for (let column = from; column < to; column++) {
      const code = source.padding(column) ? NONE : this.code(column);
      if (code !== NONE && code > highest) highest = code;
    }
    return highest < 0 ? NONE : highest;
  }

  /** How much of its colour a code has, from 0 to 1. @param {number} code */
  share(code) {
    const { values } = this;
    if (!values) return code;
    const [low, high] = [values[0], values[values.length - 1]];
    return high > low ? (values[code] - low) / (high - low) : 1;
  }

  /** Its values from the least to the greatest, in words; "" for yes or no. */
  get range() {
    const { values } = this;
    if (!values?.length) return "";
    return shortRange(values[0], values[values.length - 1]).join(" to ");
  }

  /** From one value to the next, where these are as far apart as fit in a byte. */
  get #step() {
    const { values } = this;
    return values ? (values[values.length - 1] - values[0]) / (values.length - 1) : 0;
  }

  /** What it says of a token. @param {number} code */
  say(code) {
    if (code === NONE) return `${this.title}: none`;
    if (!this.values) return `${this.title}: ${code ? "yes" : "no"}`;
    const value = this.values[code];
    return `${this.title}: ${this.exact ? plain(value) : `≈ ${stepped(value, this.#step)}`}`;
  }
}

/** @param {number} value */
function plain(value) {
  return Number.isInteger(value) ? minus(String(value)) : number(value);
}

/**
 * The tracks of a layer.
 * @param {import("../host/model.js").Model} model
 * @param {import("./layer.js").Layer} layer
 */
export function tracksOf(model, layer) {
  /** @type {Sent[]} */
  const sent = model.get("_tracks")?.[layer.parts?.[0] ?? layer.name] ?? [];
  const codes = bytes(model.get("_track_codes"));
  // Codes may arrive after what they stand for.
  return sent
    .map((track, index) => new Track(track, index, codes))
    .filter((track) => track.codes.length >= track.room(layer.examples * layer.timesteps));
}
