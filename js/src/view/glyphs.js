// Text as masks, which are blended into an image pixel by pixel: thousands of calls for text would take
// longer than a frame.

import { mix } from "../core/palettes.js";

/** How strongly a text covers each pixel. @typedef {{width: number, height: number, alpha: Uint8Array}} Glyph */

/** No mask is wider. */
const WIDEST = 4096;

/** The masks of one font, kept for as long as it stays. */
export class Glyphs {
  #font = "";
  #size = 0;
  /** @type {Map<string, Glyph>} */
  #kept = new Map();
  #context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

  /**
   * @param {string} font
   * @param {number} size
   */
  use(font, size) {
    if (font === this.#font && this.#kept.size < 20_000) return;
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
    const width = Math.max(1, Math.min(WIDEST, Math.ceil(context.measureText(text).width) + 2));
    const height = Math.ceil(this.#size * 1.3);
    context.canvas.width = width;
    context.canvas.height = height;
    context.font = this.#font;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText(text, width / 2, height / 2 + 1);
    const { data } = context.getImageData(0, 0, width, height);
    const alpha = Uint8Array.from({ length: width * height }, (_, i) => data[4 * i + 3]);
    const glyph = { width, height, alpha };
    this.#kept.set(text, glyph);
    return glyph;
  }
}

/**
 * Blend a text into an image; what lies outside of it is cut off.
 * @param {Uint32Array} pixels
 * @param {number} width of the image
 * @param {Glyph} glyph
 * @param {number} x0 where it begins
 * @param {number} y0
 * @param {number} colour a pixel
 */
export function stamp(pixels, width, glyph, x0, y0, colour) {
  const top = Math.max(0, -y0);
  const bottom = Math.min(glyph.height, pixels.length / width - y0);
  const left = Math.max(0, -x0);
  const right = Math.min(glyph.width, width - x0);
  for (let y = top; y < bottom; y++) {
    const at = (y0 + y) * width + x0;
    for (let x = left; x < right; x++) {
      const alpha = glyph.alpha[y * glyph.width + x];
      if (alpha > 0) pixels[at + x] = mix(pixels[at + x], colour, alpha / 255);
    }
  }
}
