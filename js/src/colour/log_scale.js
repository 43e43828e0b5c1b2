// From nothing to the largest value: evenly, or by powers of ten.

import { clamp } from "../lib/clamp.js";

/** Powers of ten that a logarithmic scale has. */
export const DECADES = 3;

/**
 * Where a value stands on the palette, from 0 to 1.
 * @param {number} value
 * @param {number} largest what the last colour stands for
 * @param {boolean} log
 */
export function position(value, largest, log) {
  if (!(largest > 0)) return value > 0 ? 1 : 0;
  const share = value / largest;
  return clamp(log ? 1 + Math.log10(share) / DECADES : share, 0, 1);
}
