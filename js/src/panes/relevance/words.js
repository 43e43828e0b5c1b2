// How relevance is put into words and numbers.

/** How many, with a space between thousands. @param {number} count */
export const counted = (count) => count.toLocaleString("en").replaceAll(",", "\u202f");

/**
 * Where the value of largest magnitude stands; a NaN before all.
 * @param {Float32Array} values
 * @param {number} start
 * @param {number} stop
 */
export function strongest(values, start, stop) {
  let best = start;
  for (let t = start + 1; t < stop; t++) {
    if (Number.isNaN(values[best])) break;
    if (!(Math.abs(values[t]) <= Math.abs(values[best]))) best = t;
  }
  return best;
}

/** A probability in three digits; one that is not quite certain doesn't look as if it were. @param {number} value */
export function sureness(value) {
  return value >= 0.9995 && value < 1 ? "> .999" : value.toFixed(3);
}
