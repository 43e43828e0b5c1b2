// The strip with everything on it and the view drawn in; drag it to go elsewhere.

import { outline } from "../../canvas/outline.js";
import { decode, NAN, STEPS, ZERO } from "../../data/codes.js";
import { div, element, listen, write } from "../../lib/dom.js";
import { Memo } from "../../lib/memo.js";

/**
 * The magnitude that nine in ten pixels of a row exceed. The largest of many values is nearly always
 * large; what differs along the row only shows from there on.
 * @param {Uint8Array} codes
 */
function usualMagnitude(codes) {
  const magnitudes = Uint8Array.from(codes, (code) => Math.abs(code - ZERO)).sort();
  return magnitudes[Math.floor(magnitudes.length / 10)];
}

/**
 * Spread the codes beyond the usual magnitude over all colours, signs kept.
 * @param {number} code
 * @param {number} usual
 */
function stretch(code, usual) {
  const steps = code - ZERO;
  if (code === NAN || Math.abs(steps) >= STEPS || usual >= STEPS) return code;
  const spread = (Math.max(0, Math.abs(steps) - usual) / (STEPS - usual)) * STEPS;
  return ZERO + Math.sign(steps) * Math.round(spread);
}

/**
 * From which year to which, if that is known, and says something.
 * @param {import("../../data/source.js").Source} source
 */
function yearsOf(source) {
  const times = source.clock?.dates && source.columns > 0 ? source.times(0) : undefined;
  if (!times || (source.layer.examples > 1 && !source.layer.times?.shared)) return undefined;
  const [first, last] = [0, times.count - 1].map((at) => times.label(at).slice(0, 4));
  return first === last ? undefined : `${first}–${last}`;
}

/** From so many columns a pixel on, the largest of them is large nearly everywhere. */
const POOLED = 4;

export class Overview {
  #pooled = new Memo();
  #codes = new Uint8Array(0);
  #cells = new Int32Array(0);
  #usual = new Uint8Array(0);
  #width = 0;
  #height = 0;
  #colours = /** @type {unknown} */ (undefined);
  #picture = document.createElement("canvas");

  /** @param {(x: number, y: number) => void} onGo shares from 0 to 1 of the middle of the view */
  constructor(onGo) {
    this.canvas = element("canvas", { "aria-hidden": "true" });
    this.title = element("span", {}, ["overview"]);
    this.root = div("lw-overview", [this.title, this.canvas]);
    const go = (/** @type {PointerEvent} */ event) => {
      const box = this.canvas.getBoundingClientRect();
      onGo((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
    };
    listen(this.canvas, "pointerdown", (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      go(event);
    });
    listen(this.canvas, "pointermove", (event) => {
      if (this.canvas.hasPointerCapture(event.pointerId)) go(event);
    });
  }

  resize() {
    this.#width = this.canvas.clientWidth;
    this.#height = this.canvas.clientHeight;
  }

  /**
   * @param {import("./grid.js").Scene} scene
   * @param {{left: number[], top: number[]}} view
   */
  paint({ source, order, colours, theme }, view) {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(this.#width * ratio);
    const height = Math.round(this.#height * ratio);
    if (width <= 0 || height <= 0) return;
    const { canvas } = this;
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    const columns = Math.min(width, source.bins(source.overviewLevel));
    write(this.title, yearsOf(source) ?? "overview");
    const stale = this.#pooled.changed([source, order, columns, height]);
    if (stale) this.#pool(source, order, columns, height);
    if (stale || colours !== this.#colours) {
      this.#colours = colours;
      this.#colour(colours, columns, height, theme);
    }
    const context = canvas.getContext("2d");
    if (!context) return;
    if (columns === 0) return;
    context.imageSmoothingEnabled = false;
    context.drawImage(this.#picture, 0, 0, width, height);
    const [x0, x1] = view.left.map((share) => share * width);
    const [y0, y1] = view.top.map((share) => share * height);
    const inset = 1.5 * ratio;
    /** @type {import("../../canvas/outline.js").Box} */
    const box = [
      Math.min(x0 + inset, width - 4 * inset),
      Math.min(y0 + inset, height - 4 * inset),
      Math.max(2 * inset, x1 - x0 - 2 * inset),
      Math.max(2 * inset, y1 - y0 - 2 * inset),
    ];
    outline(context, theme, box, 1.5 * ratio);
  }

  /**
   * Find for every pixel the cell and code of the largest magnitude under it.
   * @param {import("../../data/source.js").Source} source
   * @param {Int32Array} order
   * @param {number} width
   * @param {number} height
   */
  #pool(source, order, width, height) {
    const bins = source.bins(source.overviewLevel);
    this.#codes = new Uint8Array(width * height).fill(ZERO);
    this.#cells = new Int32Array(width * height).fill(-1);
    this.#usual = new Uint8Array(height);
    const pooled = source.columns / width >= POOLED;
    this.title.title = pooled
      ? "All timesteps; in each row, colours start at the 10th percentile of its magnitudes"
      : "All timesteps";
    const { largest } = source.statistics;
    for (let y = 0; y < Math.min(height, height * order.length); y++) {
      const first = Math.floor((y / height) * order.length);
      const stop = Math.max(first + 1, Math.floor(((y + 1) / height) * order.length));
      for (let x = 0; x < width; x++) {
        const from = Math.floor((x / width) * bins);
        const to = Math.max(from + 1, Math.floor(((x + 1) / width) * bins));
        let most = -1;
        for (let row = first; row < stop; row++) {
          const cell = order[row];
          for (let bin = from; bin < to; bin++) {
            const code = source.overview[cell * bins + bin];
            const size = code === NAN ? Infinity : Math.abs(code - ZERO) * largest[cell];
            if (size > most) {
              most = size;
              this.#codes[y * width + x] = code;
              this.#cells[y * width + x] = cell;
            }
          }
        }
      }
      const codes = this.#codes.subarray(y * width, (y + 1) * width);
      this.#usual[y] = pooled ? usualMagnitude(codes) : 0;
    }
  }

  /**
   * @param {import("../../colour/colours.js").Colours} colours
   * @param {number} width
   * @param {number} height
   * @param {import("../../colour/theme.js").Theme} theme
   */
  #colour(colours, width, height, theme) {
    this.#picture.width = width;
    this.#picture.height = height;
    if (width === 0) return;
    const { largest } = colours.source.statistics;
    const image = new ImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    for (let y = 0; y < height; y++) {
      const usual = this.#usual[y];
      for (let i = y * width; i < (y + 1) * width; i++) {
        const cell = this.#cells[i];
        pixels[i] =
          cell < 0
            ? theme.background
            : colours.pixel(decode(stretch(this.#codes[i], usual), largest[cell]), cell);
      }
    }
    this.#picture.getContext("2d")?.putImageData(image, 0, 0);
  }
}
