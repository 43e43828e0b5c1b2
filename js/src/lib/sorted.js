// Places in ascending numbers.

import { clamp } from "./clamp.js";

/**
 * The place of a number in ascending ones; -1 if it is none of them.
 * @param {ArrayLike<number>} sorted
 * @param {number} wanted
 */
export function placeOf(sorted, wanted) {
  const at = placeFrom(sorted, wanted);
  return sorted[at] === wanted ? at : -1;
}

/**
 * The place of the first of ascending numbers that is not below another.
 * @param {ArrayLike<number>} sorted
 * @param {number} least
 */
export function placeFrom(sorted, least) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < least) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * The number that a step towards another one leads to: the next in that direction, or the last there is.
 * @param {ArrayLike<number>} sorted
 * @param {number} from
 * @param {number} to
 */
export function stepTo(sorted, from, to) {
  if (sorted.length === 0) return from;
  const at = placeFrom(sorted, to);
  if (sorted[at] === to) return to;
  return sorted[clamp(to > from ? at : at - 1, 0, sorted.length - 1)];
}
