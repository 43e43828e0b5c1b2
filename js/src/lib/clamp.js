// Within bounds.

/**
 * The nearest number that is no less than one and no more than another; the one, if there is none.
 * @param {number} value
 * @param {number} least
 * @param {number} most
 */
export function clamp(value, least, most) {
  return Math.max(least, Math.min(most, value));
}
