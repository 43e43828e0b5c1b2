// How wide texts are, and what of them fits.

import { Recent } from "../lib/recent.js";
import { charactersOf, LONGEST } from "../lib/tokens.js";

/** Texts whose widths, and whose beginnings, are kept. */
const KEPT = 20_000;
/** Letters may stand a little closer before any are left out: in this share of what they take. */
export const CLOSER = 0.84;
/** So many pixels too much are not seen. */
const UNSEEN = 0.5;

/** Measures and cuts texts in one family of letters. */
export class Ruler {
  #context = document.createElement("canvas").getContext("2d");
  #family = "";
  /** @type {Recent<string, number>} */
  #widths = new Recent(KEPT);
  /** Texts cut to a width. @type {Recent<string, string>} */
  #cut = new Recent(KEPT);

  /** @param {string} family the letters' family, as CSS has it */
  use(family) {
    this.#family = family;
    this.#widths.clear();
    this.#cut.clear();
  }

  /**
   * @param {string} text
   * @param {number} size in pixels
   * @returns {number} its width in pixels
   */
  measure(text, size) {
    const key = `${size} ${text}`;
    let width = this.#widths.get(key);
    if (width === undefined) {
      if (!this.#context) return 0;
      this.#context.font = `${size}px ${this.#family}`;
      width = this.#context.measureText(text).width;
      this.#widths.set(key, width);
    }
    return width;
  }

  /**
   * As much of a text as there is room for.
   * @param {string} text
   * @param {number} room in pixels
   * @param {number} size of its letters
   */
  fit(text, room, size) {
    if (text.length === 1) return text;
    const key = `${size} ${room} ${text}`;
    let fitting = this.#cut.get(key);
    if (fitting === undefined) {
      fitting = cut(text, room, (some) => this.measure(some, size));
      this.#cut.set(key, fitting);
    }
    return fitting;
  }
}

/**
 * As much of a text as there is room for: all of it, or its beginning and an ellipsis.
 * @param {string} text
 * @param {number} room in pixels
 * @param {(text: string) => number} measure how wide a text is
 */
export function cut(text, room, measure) {
  if (measure(text) <= room + UNSEEN) return text;
  const characters = charactersOf(text.slice(0, LONGEST));
  if (characters.length === 1) return text;
  const beginning = (/** @type {number} */ count) =>
    `${characters.slice(0, count).join("").trimEnd()}…`;
  let [low, high] = [0, characters.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (measure(beginning(middle)) <= room + UNSEEN) low = middle;
    else high = middle - 1;
  }
  return beginning(low);
}
