// From the codes of a cell to the pixels and marks that they are drawn with.

import { decode, NAN, NEGATIVE_INFINITY, POSITIVE_INFINITY, STEPS, ZERO } from "../data/codes.js";
import { clamp } from "../lib/clamp.js";
import { ink, Mapping, mix, RAMP, ramp } from "./palettes.js";

/** Patterns over a square, so that what is unusual is not told by colour alone. */
export const PLAIN = 0;
export const IS_NAN = 1;
export const CLIPPED = 2;
export const PADDING = 3;
/** Pixels between the dots of padding. */
export const DOTS = 4;

const RESERVED = [NAN, NEGATIVE_INFINITY, POSITIVE_INFINITY];
/** The marks of codes where no finite value is clipped. */
const RESERVED_MARKS = new Uint8Array(256);
RESERVED_MARKS[NAN] = IS_NAN;
RESERVED_MARKS[NEGATIVE_INFINITY] = CLIPPED;
RESERVED_MARKS[POSITIVE_INFINITY] = CLIPPED;

/** How much of the background is mixed into a faded value. */
export const FADE = 0.86;

export class Colours {
  #table;
  /** @type {Uint32Array[]} */
  #rows = [];
  /** @type {Uint8Array[]} */
  #marks = [];

  /**
   * @param {object} look
   * @param {import("../data/source.js").Source} look.source
   * @param {import("./palettes.js").Scale} look.scale
   * @param {string} look.palette
   * @param {boolean} look.diverging
   * @param {number} look.threshold
   * @param {import("./theme.js").Theme} look.theme
   */
  constructor({ source, scale, palette, diverging, threshold, theme }) {
    const { gate, largest } = source;
    this.source = source;
    this.mapping = new Mapping(scale, { gate, largest, diverging });
    this.ramp = ramp(palette);
    this.faded = this.ramp.map((colour) => mix(colour, theme.background, FADE));
    this.threshold = threshold;
    this.theme = theme;
    /** What NaN is drawn on: neither end nor middle of any palette. */
    this.nan = mix(theme.background, theme.foreground, 0.3);
    const cells = source.statistics.largest.length;
    this.#table = new Uint32Array(256 * cells + 1);
    this.#table[256 * cells] = theme.background;
  }

  /**
   * The pixel of one value.
   * @param {number} value
   * @param {number} cell
   */
  pixel(value, cell) {
    if (Number.isNaN(value)) return this.nan;
    const position = this.mapping.position(value, this.source.statistics.largest[cell]);
    const at = clamp(Math.round(position * (RAMP - 1)), 0, RAMP - 1);
    return (Math.abs(value) < this.threshold ? this.faded : this.ramp)[at];
  }

  /**
   * The mark of one value.
   * @param {number} value
   * @param {number} cell
   */
  mark(value, cell) {
    if (Number.isNaN(value)) return IS_NAN;
    const position = this.mapping.position(value, this.source.statistics.largest[cell]);
    const clipped = position < -1e-6 || position > 1 + 1e-6 || !Number.isFinite(value);
    return clipped ? CLIPPED : PLAIN;
  }

  /**
   * The pixels of all 256 codes of a cell.
   * @param {number} cell
   */
  row(cell) {
    const made = this.#rows[cell];
    if (made) return made;
    const pixels = this.#table.subarray(256 * cell, 256 * (cell + 1));
    const scale = this.source.statistics.largest[cell];
    const line = this.mapping.line(scale);
    if (line) this.#straight(pixels, scale, line);
    else {
      for (let code = 1; code < 254; code++) pixels[code] = this.pixel(decode(code, scale), cell);
    }
    for (const code of RESERVED) pixels[code] = this.pixel(decode(code, scale), cell);
    this.#rows[cell] = pixels;
    return pixels;
  }

  /** The pixels of all codes of all cells, one cell after the other, and then the background. */
  get table() {
    for (let cell = 0; 256 * cell < this.#table.length - 1; cell++) this.row(cell);
    return this.#table;
  }

  /**
   * The marks of all 256 codes of a cell.
   * @param {number} cell
   */
  marks(cell) {
    if (!this.mapping.clips) return RESERVED_MARKS;
    const scale = this.source.statistics.largest[cell];
    this.#marks[cell] ??= RESERVED_MARKS.map((_, code) => this.mark(decode(code, scale), cell));
    return this.#marks[cell];
  }

  /**
   * The pixels of all finite codes, where positions lie on a line: thousands of rows may need theirs
   * within one frame.
   * @param {Uint32Array} pixels
   * @param {number} scale
   * @param {[number, number]} line offset and slope
   */
  #straight(pixels, scale, [offset, slope]) {
    const { ramp, faded, threshold } = this;
    const first = offset * (RAMP - 1) + 0.5;
    const step = slope * (scale / STEPS) * (RAMP - 1);
    for (let k = -STEPS; k <= STEPS; k++) {
      const at = clamp(Math.floor(first + step * k), 0, RAMP - 1);
      const off = Math.abs((k / STEPS) * scale) < threshold;
      pixels[ZERO + k] = (off ? faded : ramp)[at];
    }
  }

  /**
   * The pattern of a mark at one pixel, over its colour.
   * @param {number} mark
   * @param {number} colour
   * @param {number} x device pixels
   * @param {number} y
   */
  pattern(mark, colour, x, y) {
    return patterned(this.theme, mark, colour, x, y);
  }
}

/**
 * The pattern of a mark at one pixel, over a colour.
 * @param {import("./theme.js").Theme} theme
 * @param {number} mark
 * @param {number} colour
 * @param {number} x device pixels
 * @param {number} y
 */
export function patterned({ background, foreground }, mark, colour, x, y) {
  if (mark === IS_NAN) return (x + y) % 6 < 2 ? foreground : colour;
  if (mark === CLIPPED) return (x - y + 6000) % 6 === 0 ? mix(colour, ink(colour), 0.65) : colour;
  const veiled = mix(colour, background, 0.75);
  return x % DOTS === 0 && y % DOTS === 0 ? mix(background, foreground, 0.5) : veiled;
}
