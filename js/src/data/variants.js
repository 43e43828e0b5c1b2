// Several recordings of the same inputs: what the page has of each, and what they have in common.

import { bytes } from "../host/model.js";
import { Memo } from "../lib/memo.js";
import { Recent } from "../lib/recent.js";

/** @typedef {import("../host/model.js").Model} Model */
/** @typedef {import("./layer.js").Layer} Layer */
/** @typedef {import("./source.js").Statistics} Statistics */

/**
 * What Python tells of variants.
 * @typedef {object} Told
 * @property {string[]} names
 * @property {Record<string, Layer["check"]>[]} check what the self-check of each layer found, by variant
 * @property {Record<string, Partial<Layer>>[]} own what is told of a layer in another way than of the first's
 * @property {number[]} [whole] where the bytes of each begin, and where the last end, if all travel
 * @property {Record<string, Record<string, unknown>>[]} [text] what of `_text` is each one's own
 * @property {string} [less] in a page that holds one difference only: what was subtracted
 */

/** Cells whose similarity to all others is kept. */
const KEPT_SIMILARITIES = 16;

/**
 * A model as those see it who draw one variant: its part of the bytes, and questions that name it.
 * @implements {Model}
 */
export class VariantModel {
  #cut = new Memo();
  #whole = /** @type {Uint8Array} */ (new Uint8Array(0));
  #series = new Memo();
  #values = /** @type {Uint8Array} */ (new Uint8Array(0));
  #worded = new Memo();
  /** @type {Record<string, unknown>} */
  #text = {};
  #layered = new Memo();
  /** @type {Layer[]} */
  #layers = [];

  /**
   * @param {Model} model
   * @param {string} variant
   * @param {VariantModel} [reference] the variant that is subtracted
   */
  constructor(model, variant, reference) {
    this.model = model;
    this.variant = variant;
    this.reference = reference;
    this.on = model.on.bind(model);
    this.off = model.off.bind(model);
    this.set = model.set.bind(model);
    this.save_changes = model.save_changes.bind(model);
  }

  /** @returns {Told} */
  get #told() {
    return this.model.get("_variants");
  }

  get #index() {
    return this.#told.names.indexOf(this.variant);
  }

  /**
   * @param {any} message
   * @param {unknown} [callbacks]
   * @param {ArrayBuffer[]} [buffers]
   */
  send(message, callbacks, buffers) {
    const difference = this.reference?.variant ?? "";
    this.model.send({ ...message, variant: this.variant, difference }, callbacks, buffers);
  }

  /** @param {string} name @returns {any} */
  get(name) {
    const value = this.model.get(name);
    if (name === "_whole") return this.#wholeOf(value);
    if (name === "_series_values") return this.#seriesOf(value);
    if (name === "_text") return this.#textOf(value);
    if (name === "_layers") return this.#layersOf(value);
    return value;
  }

  /** @param {unknown} value */
  #wholeOf(value) {
    const { whole } = this.#told;
    if (this.#cut.changed([value, whole])) {
      const at = this.#index;
      this.#whole = whole ? bytes(value).subarray(whole[at], whole[at + 1]) : bytes(value);
    }
    return this.#whole;
  }

  /** Of each variant as many. @param {unknown} value */
  #seriesOf(value) {
    const { names, less } = this.#told;
    if (this.#series.changed([value, names])) {
      const all = bytes(value);
      const size = less === undefined ? all.length / names.length : all.length;
      const at = less === undefined ? this.#index : 0;
      this.#values = all.subarray(at * size, (at + 1) * size);
    }
    return this.#values;
  }

  /** @param {Record<string, object>} value */
  #textOf(value) {
    const { text } = this.#told;
    if (this.#worded.changed([value, text])) {
      const own = text?.[this.#index] ?? {};
      this.#text = Object.fromEntries(
        Object.entries(value).map(([layer, about]) => [layer, { ...about, ...own[layer] }]),
      );
    }
    return this.#text;
  }

  /** @param {Layer[]} value */
  #layersOf(value) {
    if (this.#layered.changed([value, this.#told])) {
      this.#layers = value.map((layer) => this.layer(layer));
    }
    return this.#layers;
  }

  /** A layer as this variant has it. @param {Layer} layer @returns {Layer} */
  layer(layer) {
    const own = this.#told.own[this.#index]?.[layer.name] ?? {};
    const made = Object.keys(own).length ? { ...layer, ...own } : layer;
    // What made a state change isn't told by differences.
    return this.reference && made.initial ? { ...made, initial: undefined } : made;
  }
}

/**
 * What all variants of a signal have in common: the scale of colours, and by what cells are put in order,
 * so that neither changes from one to the next.
 */
export class Common {
  /** @type {Recent<number, Float32Array>} */
  similarities = new Recent(KEPT_SIMILARITIES);
  /** The largest magnitude of each cell. @type {Float32Array | undefined} */
  largest;
  /** Means over all variants. @type {Statistics | undefined} */
  compared;
  /** The mean magnitude of each cell where that is largest. @type {Float32Array | undefined} */
  loudest;

  /** @param {Statistics[]} every the statistics of each variant */
  measure(every) {
    const cells = every[0].largest.length;
    const each = (/** @type {(cell: number) => number} */ of) =>
      Float32Array.from({ length: cells }, (_, cell) => of(cell));
    this.largest = each((cell) => Math.max(...every.map(({ largest }) => largest[cell])));
    this.loudest = overVariants(
      every.map(({ meanMagnitude }) => meanMagnitude),
      (known) => Math.max(...known),
    );
    this.compared = {
      largest: this.largest,
      meanMagnitude: meanOf(every.map(({ meanMagnitude }) => meanMagnitude)),
      variance: meanOf(every.map(({ variance }) => variance)),
    };
  }
}

/**
 * Sum up the variants of each cell, without those in which there is no number; NaN where there is none at all.
 * @param {Float32Array[]} rows (variant, cell)
 * @param {(known: number[]) => number} summed
 */
function overVariants(rows, summed) {
  return Float32Array.from(rows[0], (_, cell) => {
    const known = rows.map((row) => row[cell]).filter((value) => !Number.isNaN(value));
    return known.length > 0 ? summed(known) : NaN;
  });
}

/** The mean over variants of each cell. @param {Float32Array[]} rows (variant, cell) */
export function meanOf(rows) {
  return overVariants(rows, (known) => known.reduce((sum, value) => sum + value, 0) / known.length);
}
