// An image whose pixels are set one by one: thousands of calls to draw would take longer than a frame.

import { mix } from "../colour/palettes.js";

/** @typedef {import("./glyphs.js").Glyph} Glyph */

export class Pixels {
  #image = new ImageData(1, 1);
  /** One after the other, row by row. */
  all = new Uint32Array(1);

  get width() {
    return this.#image.width;
  }

  get height() {
    return this.#image.height;
  }

  /**
   * Give it a size.
   * @param {number} width
   * @param {number} height
   * @returns {boolean} whether it had another one, so that what was in it is gone
   */
  resize(width, height) {
    if (this.width === width && this.height === height) return false;
    this.#image = new ImageData(width, height);
    this.all = new Uint32Array(this.#image.data.buffer);
    return true;
  }

  /**
   * Fill a rectangle; what lies outside of the image is cut off.
   * @param {number} x0
   * @param {number} y0
   * @param {number} x1
   * @param {number} y1
   * @param {number} colour a pixel
   */
  fill(x0, y0, x1, y1, colour) {
    const { width, all } = this;
    const [left, right] = [Math.max(0, x0), Math.min(width, x1)];
    const bottom = Math.min(this.height, y1);
    for (let y = Math.max(0, y0); y < bottom; y++) {
      if (left < right) all.fill(colour, y * width + left, y * width + right);
    }
  }

  /**
   * Blend a text into it; what lies outside of it is cut off.
   * @param {Glyph} glyph
   * @param {number} x0 where it begins
   * @param {number} y0
   * @param {number} colour a pixel
   * @param {number} from no further left, nor right
   * @param {number} to
   */
  stamp(glyph, x0, y0, colour, from = 0, to = this.width) {
    const { width, all } = this;
    const top = Math.max(0, -y0);
    const bottom = Math.min(glyph.height, this.height - y0);
    const left = Math.max(0, from - x0);
    const right = Math.min(glyph.width, to - x0);
    for (let y = top; y < bottom; y++) {
      const at = (y0 + y) * width + x0;
      for (let x = left; x < right; x++) {
        const alpha = glyph.alpha[y * glyph.width + x];
        const ink = glyph.own?.[y * glyph.width + x] || colour;
        if (alpha > 0) all[at + x] = mix(all[at + x], ink, alpha / 255);
      }
    }
  }

  /**
   * Blend a text into the middle of a stretch.
   * @param {Glyph | undefined} glyph
   * @param {number} x0
   * @param {number} x1
   * @param {number} middle
   * @param {number} colour a pixel
   */
  centre(glyph, x0, x1, middle, colour) {
    if (!glyph) return;
    const x = x0 + ((x1 - x0 - glyph.width + 1) >> 1);
    this.stamp(glyph, x, middle - (glyph.height >> 1), colour);
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {number} x
   * @param {number} y
   */
  put(context, x = 0, y = 0) {
    context.putImageData(this.#image, x, y);
  }
}
