// Text as masks, which are blended into an image pixel by pixel: thousands of calls for text would take
// longer than a frame.

import { clamp } from "../lib/clamp.js";
import { Recent } from "../lib/recent.js";
import { directionOf } from "../lib/tokens.js";

/**
 * How strongly a text covers each pixel.
 * @typedef {object} Glyph
 * @property {number} width
 * @property {number} height
 * @property {Uint8Array} alpha
 * @property {Uint32Array} [own] pixels that bring their colour, as those of emoji do; 0: any ink
 */

/** Masks that are kept. */
const KEPT = 20_000;
/** No mask is wider. */
const WIDEST = 4096;

/** The masks of one font, kept for as long as it stays. */
export class Glyphs {
  #font = "";
  #size = 0;
  /** @type {Recent<string, Glyph>} */
  #kept = new Recent(KEPT);
  #context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

  /**
   * @param {string} font
   * @param {number} size
   */
  use(font, size) {
    if (font === this.#font) return;
    this.#font = font;
    this.#size = size;
    this.#kept.clear();
  }

  /**
   * @param {string} text
   * @returns {Glyph | undefined}
   */
  of(text) {
    const kept = this.#kept.get(text);
    if (kept) return kept;
    const context = this.#context;
    if (!context) return undefined;
    context.font = this.#font;
    const width = clamp(Math.ceil(context.measureText(text).width) + 2, 1, WIDEST);
    const height = Math.ceil(this.#size * 1.3);
    const black = this.#drawn(text, width, height, "#000");
    const alpha = Uint8Array.from(black, (pixel) => pixel >>> 24);
    /** @type {Glyph} */
    const glyph = { width, height, alpha };
    if (black.some((pixel) => pixel & 0xffffff)) {
      // What is the same in any ink has a colour of its own.
      const white = this.#drawn(text, width, height, "#fff");
      glyph.own = black.map((pixel, i) => (pixel === white[i] ? pixel | 0xff000000 : 0));
    }
    this.#kept.set(text, glyph);
    return glyph;
  }

  /**
   * @param {string} text
   * @param {number} width
   * @param {number} height
   * @param {string} ink
   */
  #drawn(text, width, height, ink) {
    const context = /** @type {CanvasRenderingContext2D} */ (this.#context);
    context.canvas.width = width;
    context.canvas.height = height;
    context.font = this.#font;
    context.direction = directionOf(text) ?? "ltr";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillStyle = ink;
    context.fillText(text, width / 2, height / 2 + 1);
    return new Uint32Array(context.getImageData(0, 0, width, height).data.buffer);
  }
}
