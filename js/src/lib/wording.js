// How names and numbers are written.

/** What stands in the place of a picture of no timesteps. */
export const NOTHING_RECORDED = "Nothing to show: no timestep was recorded.";

/** A name of Python's as words. @param {string} name */
export function words(name) {
  return name.replaceAll("_", " ");
}

/** A text with a minus that is as wide as a plus. @param {string} text */
export function minus(text) {
  return text.replaceAll("-", "−");
}

/**
 * A number as a person reads it: four decimals, or four digits of a very small or large one.
 * @param {number} value
 */
export function number(value) {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  const text =
    size !== 0 && (size < 1e-3 || size >= 1e5) ? value.toExponential(3) : value.toFixed(4);
  return minus(text);
}

/** A change, always with its sign. @param {number} value */
export function signed(value) {
  return value >= 0 ? `+${number(value)}` : number(value);
}

/**
 * A number where there is little room: three digits.
 * @param {number} value
 * @param {boolean} signed
 */
export function short(value, signed = false) {
  const text =
    Math.abs(value) >= 1e4 ? value.toExponential(1) : String(Number(value.toPrecision(3)));
  return (signed && value > 0 ? "+" : "") + minus(text);
}
