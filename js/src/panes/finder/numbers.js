// The numbers of a ranking as they are written.

import { minus } from "../../lib/wording.js";

/**
 * A score, or what is as large as one.
 * @param {number} value
 */
export function digits(value) {
  if (Number.isNaN(value)) return "–";
  const small = value !== 0 && Math.abs(value) < 5e-4;
  return minus(small ? value.toExponential(0) : value.toFixed(3));
}

/** A whole number with its sign. @param {number} value */
export function signed(value) {
  return value > 0 ? `+${value}` : minus(String(value));
}

/** How many independent timesteps there are. @param {number} value */
export function independent(value) {
  return Number.isNaN(value) ? "–" : value < 10 ? value.toFixed(1) : String(Math.round(value));
}
