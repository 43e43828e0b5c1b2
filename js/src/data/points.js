// States as points: what of them is in the page, and what the kernel is asked for. Its side is
// lstm_widgets/widgets/page/space.py.

import { Calls } from "../host/calls.js";
import { bytes } from "../host/model.js";
import { Recent } from "../lib/recent.js";
import { placeOf } from "../lib/sorted.js";
import { BLOCK } from "./codes.js";
import { WholeSource } from "./source.js";

/** @typedef {import("../host/model.js").Model} Model */
/**
 * @typedef {object} Component
 * @property {string} name
 * @property {number | null} share of the variance that it explains
 * @property {number} low the lowest place of all points
 * @property {number} high
 */
/**
 * What Python tells of the points.
 * @typedef {object} Sent
 * @property {string} layer
 * @property {string} signal
 * @property {string} variant "" of one recording
 * @property {number} points
 * @property {number} total how many there are; of more than a million only some are points
 * @property {Component[]} components
 * @property {[kind: string, number: number][]} series what colours may stand for beside
 * @property {[kind: string, which: unknown, told: any, bytes: number][]} held what is in the page, in its order
 */
/** Texts that points have, the commonest first. @typedef {{names: string[], counts: number[], codes: Uint8Array}} Classes */
/** Numbers that points have, as codes. @typedef {{low: number, high: number, codes: Uint8Array}} Numbers */
/**
 * @typedef {object} FixedPoint
 * @property {number[]} at where it is, along each component
 * @property {"stable" | "saddle" | "slow"} kind
 * @property {number} speed
 * @property {number[]} [along] the most unstable direction
 * @property {[re: number, im: number][]} [eigenvalues] the largest
 * @property {number} [unstable] how many are beyond one
 * @property {number} [count] of starts that ended there
 * @property {number[]} [readout]
 * @property {string[]} [names] of what is read out
 */

/** The code of a point that has no text or number. */
export const NO_CLASS = 255;
/** From the lowest place to the highest, where places are rounded. */
const STEPS = 65_535;
/** What was asked for last is kept: places, and what colours stand for. */
const KEPT = 24;

/** Whether all that belongs together is there: some hosts hand over one trait after the other. @param {Model} model */
export function pointsHere(model) {
  const { components, held = [] } = model.get("_space") ?? {};
  const size = held.reduce(
    (/** @type {number} */ sum, /** @type {any} */ part) => sum + part[3],
    0,
  );
  return components !== undefined && bytes(model.get("_space_values")).length >= size;
}

export class Points {
  /** @type {Map<string, {told: any, bytes: Uint8Array}>} */
  #held = new Map();
  /** @type {Recent<string, {told: any, bytes: Uint8Array}>} */
  #asked = new Recent(KEPT);
  /** What was made of bytes. @type {Recent<string, any>} */
  #made = new Recent(KEPT);
  /** @type {[string, unknown] | undefined} */
  #missing;
  /** Goes up when more has arrived. */
  version = 0;

  /**
   * @param {Model} model
   * @param {() => void} onArrival
   */
  constructor(model, onArrival) {
    this.sent = /** @type {Sent} */ (model.get("_space"));
    this.count = this.sent.points;
    const all = bytes(model.get("_space_values"));
    let at = 0;
    for (const [kind, which, told, size] of this.sent.held) {
      this.#held.set(JSON.stringify([kind, which]), { told, bytes: all.subarray(at, at + size) });
      at += size;
    }
    this.calls = new Calls(
      model,
      (reply, [buffer]) => {
        this.#asked.set(JSON.stringify(reply.space), { told: reply.told, bytes: bytes(buffer) });
      },
      () => {
        this.version++;
        onArrival();
      },
    );
  }

  dispose() {
    this.calls.dispose();
  }

  /** What to tell a person about the kernel; empty while all is well. */
  get notice() {
    return this.calls.notice;
  }

  /** Ask for what was found missing since the last time. */
  request() {
    const { layer, signal, variant } = this.sent;
    const missing = this.#missing;
    this.#missing = undefined;
    this.calls.ask(missing && { layer, signal, variant, space: missing });
  }

  /**
   * @param {string} kind
   * @param {unknown} which
   */
  #part(kind, which) {
    const key = JSON.stringify([kind, which]);
    const found = this.#held.get(key) ?? this.#asked.get(key);
    if (!found) this.#missing ??= [kind, which];
    return found;
  }

  /**
   * What is made of a part, once.
   * @template T
   * @param {string} kind
   * @param {unknown} which
   * @param {(part: {told: any, bytes: Uint8Array}) => T} make
   * @returns {T | undefined}
   */
  #once(kind, which, make) {
    const key = JSON.stringify([kind, which]);
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const part = this.#part(kind, which);
    if (!part) return undefined;
    const made = make(part);
    this.#made.set(key, made);
    return made;
  }

  /** The column that each point is, rising; undefined while that is on its way. @returns {Uint32Array | undefined} */
  get columns() {
    return this.#once("columns", true, ({ bytes }) => new Uint32Array(bytes.slice().buffer));
  }

  /** Which point a column is; -1 if it is none. @param {number} column */
  at(column) {
    return placeOf(this.columns ?? [], column);
  }

  /** Places along a component. @param {number} which @returns {Float32Array | undefined} */
  component(which) {
    return this.#once("component", which, ({ told, bytes }) => {
      if (told.exact) return new Float32Array(bytes.slice().buffer);
      const codes = new Uint16Array(bytes.slice().buffer);
      const { low, high } = this.sent.components[which];
      const places = new Float32Array(codes.length);
      const step = (high - low) / STEPS;
      for (let i = 0; i < codes.length; i++) places[i] = low + codes[i] * step;
      return places;
    });
  }

  /**
   * The place of a column along every component, and whether that is the very place: not in a saved page in
   * which places are rounded.
   * @param {number} column
   * @returns {{values: ArrayLike<number>, exact: boolean} | undefined} undefined while it is on its way
   */
  place(column) {
    const { components, held } = this.sent;
    const part = held.find(([kind]) => kind === "component");
    if (part) {
      const at = this.at(column);
      const values = components.map((_, i) => this.component(i)?.[at] ?? NaN);
      return { values, exact: part[2].exact };
    }
    const values = this.#once(
      "place",
      column,
      ({ bytes }) => new Float32Array(bytes.slice().buffer),
    );
    return values && { values, exact: true };
  }

  /** The commonest tokens, or labels. @param {"tokens" | "labels"} kind @returns {Classes | undefined} */
  classes(kind) {
    return this.#once(kind, true, ({ told, bytes }) => ({ ...told, codes: bytes }));
  }

  /** Numbers of a channel, an output or a target. @param {[string, number]} key @returns {Numbers | undefined} */
  series(key) {
    return this.#once("series", key, ({ told, bytes }) => ({ ...told, codes: bytes }));
  }

  /**
   * The codes of a cell's values, as in tiles.
   * @param {import("./source.js").AnySource} source
   * @param {number} cell
   * @returns {Uint8Array | undefined}
   */
  values(source, cell) {
    if (!(source instanceof WholeSource)) return this.#once("values", cell, ({ bytes }) => bytes);
    const { columns } = this;
    if (!columns) return undefined;
    const codes = new Uint8Array(columns.length);
    let block = -1;
    let tile = /** @type {Uint8Array} */ (new Uint8Array(0));
    columns.forEach((column, i) => {
      const wanted = Math.floor(column / BLOCK);
      if (wanted !== block) {
        block = wanted;
        tile = source.tile(0, block, cell) ?? tile;
      }
      codes[i] = tile[column % BLOCK];
    });
    return codes;
  }
}
