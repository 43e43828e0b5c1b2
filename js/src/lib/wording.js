// How names and numbers are written.

import { clamp } from "./clamp.js";

/** What stands in the place of a picture of no timesteps. */
export const NOTHING_RECORDED = "Nothing to show: no timestep was recorded.";

/** A name of Python's as words. @param {string} name */
export function words(name) {
  return name.replaceAll("_", " ");
}

/** The name of a method of relevance as it is written. @param {string} name */
export const methodName = (name) => words(name.replaceAll("_x_", " × "));

/** How many there are of something. @param {number} count @param {string} one what one of them is called */
export function many(count, one) {
  return `${count} ${one}${count === 1 ? "" : "s"}`;
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

/**
 * A number that is known in steps: none of its digits stands for less than one.
 * @param {number} value
 * @param {number} step
 */
export function stepped(value, step) {
  const places = step > 0 ? -Math.floor(Math.log10(step)) : Infinity;
  if (places > 3) return number(value);
  const unit = 10 ** Math.max(0, -places);
  const rounded = Math.floor(value / unit + 0.5) * unit;
  const text = (places > 0 ? value : rounded).toFixed(Math.max(0, places));
  return minus(Number(text) === 0 ? text.replace("-", "") : text);
}

/** A change, always with its sign. @param {number} value */
export function signed(value) {
  return value >= 0 ? `+${number(value)}` : number(value);
}

/** @param {number} value @param {string} text what is written of it @param {boolean} signed also above zero */
function withSign(value, text, signed) {
  return (signed && value > 0 ? "+" : "") + minus(text);
}

/** From this magnitude on, a short number has an exponent. */
const LARGE = 1e6;

/**
 * A number where there is little room: three digits.
 * @param {number} value
 * @param {boolean} signed
 */
export function short(value, signed = false) {
  const large = Math.abs(value) >= LARGE;
  const text = large ? value.toExponential(2) : String(Number(value.toPrecision(3)));
  return withSign(value, text, signed);
}

/**
 * Both ends of a range where there is little room. Neither has more decimals than the larger needs for three
 * digits: what is nothing beside it is 0. Only ends that are close have more, so that they differ.
 * @param {number} low
 * @param {number} high
 * @param {boolean} signed
 * @returns {[low: string, high: string]}
 */
export function shortRange(low, high, signed = false) {
  const after = (/** @type {number} */ size, /** @type {number} */ digits) =>
    digits - 1 - Math.floor(Math.log10(size));
  const size = Math.max(Math.abs(low), Math.abs(high));
  const three = after(size, 3);
  const apart = high > low ? Math.min(after(high - low, 2), three + 3) : three;
  const decimals = clamp(Math.max(three, apart), 0, 100);
  const end = (/** @type {number} */ value) => {
    const rounded = Number(value.toFixed(decimals));
    return size >= LARGE ? short(rounded, signed) : withSign(rounded, String(rounded), signed);
  };
  return [end(low), end(high)];
}
