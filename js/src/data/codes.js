// The byte that stands for a value in the page, and pooling: the same as lstm_widgets/widgets/page/tiles.py.

import { clamp } from "../lib/clamp.js";

/** Values of one cell in one tile. */
export const BLOCK = 512;
/** The most codes that the overview of one signal may have. */
export const OVERVIEW_CODES = 256 * 1024;

export const ZERO = 127;
export const NEGATIVE_INFINITY = 0;
export const POSITIVE_INFINITY = 254;
export const NAN = 255;
/** Codes on each side of zero. */
export const STEPS = 126;

/** Round as NumPy does: halves to the even neighbour. @param {number} value */
function toEven(value) {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

/**
 * Encode values of one cell.
 * @param {Float32Array} values
 * @param {number} scale the magnitude that gets the outermost code
 * @returns {Uint8Array}
 */
export function encode(values, scale) {
  const codes = new Uint8Array(values.length);
  const factor = scale > 0 ? STEPS / scale : 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (Number.isFinite(value)) {
      const step = toEven(value * factor);
      codes[i] = ZERO + clamp(step, -STEPS, STEPS);
    } else if (Number.isNaN(value)) codes[i] = NAN;
    else codes[i] = value > 0 ? POSITIVE_INFINITY : NEGATIVE_INFINITY;
  }
  return codes;
}

/**
 * The value in the middle of what a code stands for; NaN and the infinities as they are.
 * @param {number} code
 * @param {number} scale
 */
export function decode(code, scale) {
  if (code === NAN) return NaN;
  if (code === POSITIVE_INFINITY) return Infinity;
  if (code === NEGATIVE_INFINITY) return -Infinity;
  return ((code - ZERO) / STEPS) * scale;
}

/**
 * Of codes of one cell the one of largest magnitude; NaN before all, a positive before its opposite.
 * @param {Uint8Array} codes
 * @param {number} start
 * @param {number} stop
 */
export function strongest(codes, start, stop) {
  let best = codes[start];
  for (let i = start + 1; i < stop; i++) {
    const code = codes[i];
    const lead = Math.abs(code - ZERO) - Math.abs(best - ZERO);
    if (lead > 0 || (lead === 0 && code > best)) best = code;
  }
  return best;
}

/**
 * The next level: half as many codes.
 * @param {Uint8Array} codes one cell's
 */
export function halve(codes) {
  const half = new Uint8Array(Math.ceil(codes.length / 2));
  for (let i = 0; i < half.length; i++) {
    half[i] = strongest(codes, 2 * i, Math.min(2 * i + 2, codes.length));
  }
  return half;
}
