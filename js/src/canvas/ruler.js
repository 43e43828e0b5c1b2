// How wide texts are, and what of them fits.

import { charactersOf } from "../lib/tokens.js";

/** Measures and cuts texts in one family of letters. */
export class Ruler {
  #context = document.createElement("canvas").getContext("2d");
  #family = "";
  /** Texts cut to a width. @type {Map<string, string>} */
  #cut = new Map();

  /** @param {string} family the letters' family, as CSS has it */
  use(family) {
    this.#family = family;
    this.#cut.clear();
  }

  /**
   * @param {string} text
   * @param {number} size in pixels
   * @param {string} weight
   * @returns {number} its width in pixels
   */
  measure(text, size, weight = "") {
    if (!this.#context) return 0;
    this.#context.font = `${weight} ${size}px ${this.#family}`;
    return this.#context.measureText(text).width;
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
      const characters = charactersOf(text);
      while (characters.length > 1 && this.measure(characters.join(""), size) > room + 0.5) {
        characters.splice(-2, 2, "…");
      }
      fitting = characters.join("");
      if (this.#cut.size > 20_000) this.#cut.clear();
      this.#cut.set(key, fitting);
    }
    return fitting;
  }
}
