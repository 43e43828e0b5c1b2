// The colours of one method's relevance: lstm_widgets/views/bands.py has the same.

import { clamp } from "../lib/clamp.js";
import { palettes, RAMP, ramp } from "./palettes.js";

/**
 * The palette that "auto" stands for.
 * @param {string} name
 * @param {boolean} signed whether there are values on both sides of zero
 * @param {boolean} dark
 */
export function resolveBand(name, signed, dark) {
  if (name !== "auto") return name;
  if (signed) return dark ? "berlin" : "RdBu_r";
  return dark ? "Purples_dark" : "Purples";
}

export class Band {
  /**
   * @param {{name: string, signed: boolean, largest: number}} method
   * @param {{palette: string, scale: string | [number, number], dark: boolean}} look
   */
  constructor({ name, signed, largest }, { palette, scale, dark }) {
    const resolved = resolveBand(palette, signed, dark);
    const colours = ramp(resolved);
    this.name = name;
    this.signed = signed;
    this.largest = largest;
    this.scale = scale;
    // What has no sign begins in the middle of a palette that has one.
    const half = !signed && palettes[resolved].kind === "diverging";
    this.ramp = half ? colours.subarray(RAMP / 2) : colours;
  }

  /** Whether a range is given, and values may be cut off. */
  get fixed() {
    return Array.isArray(this.scale);
  }

  /**
   * The values of the outermost colours.
   * @param {number} largest the largest magnitude in the example
   * @returns {[number, number]}
   */
  range(largest) {
    if (Array.isArray(this.scale)) {
      const [low, high] = this.scale;
      return [this.signed || high <= 0 ? low : Math.max(0, low), high];
    }
    const high = this.scale === "all" ? this.largest : largest;
    return [this.signed ? -high : 0, high];
  }

  /**
   * Where a value stands on the ramp: 0 to 1, and beyond where it is cut off.
   * @param {number} value
   * @param {[number, number]} range
   */
  position(value, [low, high]) {
    if (high > low) return (value - low) / (high - low);
    return this.signed ? 0.5 : 0;
  }

  /**
   * The pixel of a value that is a number.
   * @param {number} value
   * @param {[number, number]} range
   */
  pixel(value, range) {
    const last = this.ramp.length - 1;
    const at = Math.round(this.position(value, range) * last);
    return this.ramp[clamp(at, 0, last)];
  }

  /**
   * Whether a value is beyond the outermost colours.
   * @param {number} value
   * @param {[number, number]} range
   */
  clipped(value, range) {
    const position = this.position(value, range);
    return !Number.isFinite(value) || position < -1e-6 || position > 1 + 1e-6;
  }
}
