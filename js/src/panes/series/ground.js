// What lies behind the lines of channels: the relevance of each timestep, as colour.

import { slants } from "../../canvas/slants.js";
import { css, ink, mix } from "../../colour/palettes.js";
import { Band } from "../../colour/relevance_colours.js";
import { POOLED, TILE } from "../../data/levels.js";
import { stronger } from "../../data/series_relevance.js";
import { clamp } from "../../lib/clamp.js";
import { Memo } from "../../lib/memo.js";

/** @typedef {import("../../data/lines.js").Lines} Lines */
/** @typedef {import("../../data/lines.js").Key} Key */
/** @typedef {import("../../data/axis.js").Axis} Axis */
/** @typedef {import("../../state/series.js").Explanation} Explanation */
/** @typedef {import("../../data/series_relevance.js").Of} Of */

/** How much of their colour values have, on a light page and on a dark one: lines lie on it. */
const SHARES = [0.66, 0.85];

/**
 * What of the time axis is seen.
 * @typedef {{start: number, scale: number, width: number}} View
 *   the place at the left edge, pixels from a place to the next, and how many pixels
 */

/**
 * The relevance of each pixel: of all timesteps in it the one of largest magnitude, with its sign; NaN where
 * there is none.
 * @param {Lines} lines
 * @param {Axis} axis of the series
 * @param {{key: Key, row: number, first: number, count: number}} of which line, the timestep of the series
 *   at which it begins, and how many it has
 * @param {View} view
 */
export function columnsOf(lines, axis, { key, row, first, count }, { start, scale, width }) {
  const columns = new Float32Array(width).fill(NaN);
  const end = Math.min(axis.count, first + count) - 1;
  const from = Math.max(0, first, axis.before(start) - 1);
  const to = Math.min(end, axis.before(start + width / scale) + 1);
  if (to < from || width <= 0) return columns;
  const half = axis.step / 2;
  // Where a timestep begins and ends: half way to its neighbours, or where a gap begins.
  const begins = (/** @type {number} */ t) =>
    Math.max(axis.at(t) - half, t > 0 ? (axis.at(t - 1) + axis.at(t)) / 2 : -Infinity);
  const ends = (/** @type {number} */ t) =>
    Math.min(axis.at(t) + half, t + 1 < axis.count ? (axis.at(t) + axis.at(t + 1)) / 2 : Infinity);
  const x = (/** @type {number} */ place) => (place - start) * scale;
  const put = (/** @type {number} */ column, /** @type {number} */ value) => {
    if (column < 0 || column >= width) return;
    if (!(Math.abs(columns[column]) >= Math.abs(value))) columns[column] = value;
  };
  const each = (scale * (axis.at(to) - axis.at(from))) / Math.max(1, to - from) || scale;
  const level = Math.max(0, Math.floor(Math.log(1 / each) / Math.log(POOLED)));
  const size = POOLED ** level;
  const last = to - first;
  for (let block = Math.floor((from - first) / size / TILE); block * TILE * size <= last; block++) {
    const found = lines.best(key, row, level, block);
    if (!found) continue;
    const begin = Math.max(from - first, block * TILE * size);
    const stop = Math.min(last, (block + 1) * TILE * size - 1);
    for (
      let run = Math.max(0, Math.floor((begin - found.first) / found.size));
      run < found.low.length;
      run++
    ) {
      const a = Math.max(begin, found.first + run * found.size) + first;
      if (a > stop + first) break;
      const value = stronger(found.low[run], found.high[run]);
      if (Number.isNaN(value)) continue;
      const b = Math.min(stop + first, found.first + (run + 1) * found.size - 1 + first);
      const [left, right] = [x(begins(a)), x(ends(b))];
      // Each is seen, however narrow it is.
      const middle = Math.floor((left + right) / 2);
      if (right - left > 2 * each * (b - a + 1) + 2) {
        // There is a gap in it.
        put(Math.floor(x(axis.at(a))), value);
        put(Math.floor(x(axis.at(b))), value);
        continue;
      }
      put(middle, value);
      const far = Math.min(Math.round(right), width);
      for (let column = Math.max(0, Math.round(left)); column < far; column++) put(column, value);
    }
  }
  return columns;
}

export class Ground {
  #canvas = document.createElement("canvas");
  #drawn = new Memo();
  #coloured = new Memo();
  /** @type {Band | undefined} */
  #band;
  /** Stretches of columns of each band that are beyond the colours. @type {[from: number, to: number, pixel: number][][]} */
  #clipped = [];

  /**
   * How values become colours; the same until the look changes.
   * @param {Explanation} explanation
   * @param {import("../../colour/theme.js").Theme} theme
   */
  colours({ relevance, method, palette, scale }, theme) {
    const look = [relevance, method, palette, JSON.stringify(scale), theme];
    if (this.#coloured.changed(look) || !this.#band) {
      const { name, signed } = relevance.told.methods[method];
      this.#band = new Band(
        { name, signed, largest: NaN },
        { palette, scale: Array.isArray(scale) ? scale : "example", dark: theme.dark },
      );
      const share = SHARES[Number(theme.dark)];
      this.#band.ramp = this.#band.ramp.map((pixel) => mix(theme.background, pixel, share));
    }
    return this.#band;
  }

  /**
   * Draw it for all bands that have some.
   * @param {CanvasRenderingContext2D} context with the first timestep that is seen at 0, 0
   * @param {{lines: Lines, theme: import("../../colour/theme.js").Theme, start: number, scale: number, room: number}} scene
   *   lengths in CSS pixels
   * @param {{explanation: Explanation, of: Of, axis: Axis, example: number, top: number, height: number}[]} grounds
   */
  paint(context, { lines, theme, start, scale, room }, grounds) {
    if (grounds.length === 0) return;
    const ratio = window.devicePixelRatio || 1;
    const view = { start, scale: scale * ratio, width: Math.max(1, Math.round(room * ratio)) };
    const bands = grounds.map(({ explanation }) => this.colours(explanation, theme));
    const look = grounds.map(({ explanation, of, example }) => [example, explanation.row, of]);
    const drawn = [JSON.stringify([look, view]), lines, lines.version, ...bands];
    if (this.#drawn.changed(drawn)) {
      const image = new ImageData(view.width, grounds.length);
      const pixels = new Uint32Array(image.data.buffer);
      this.#clipped = grounds.map(({ explanation, of, axis }, i) => {
        const { relevance, row } = explanation;
        const values = columnsOf(
          lines,
          axis,
          {
            ...{ key: relevance.key(of), row },
            ...{ first: relevance.starts[row], count: relevance.told.timesteps },
          },
          view,
        );
        const range = bands[i].range(explanation.largest(of));
        /** @type {[number, number, number][]} */
        const clipped = [];
        values.forEach((value, column) => {
          if (Number.isNaN(value)) return;
          const pixel = bands[i].pixel(value, range);
          pixels[i * view.width + column] = pixel;
          if (!bands[i].clipped(value, range)) return;
          const before = clipped[clipped.length - 1];
          if (before?.[1] === column && before[2] === pixel) before[1]++;
          else clipped.push([column, column + 1, pixel]);
        });
        return clipped;
      });
      this.#canvas.width = image.width;
      this.#canvas.height = image.height;
      this.#canvas.getContext("2d")?.putImageData(image, 0, 0);
    }
    context.save();
    context.imageSmoothingEnabled = false;
    grounds.forEach(({ top, height }, i) => {
      context.drawImage(this.#canvas, 0, i, view.width, 1, 0, top, view.width / ratio, height);
      for (const [from, to, pixel] of this.#clipped[i]) {
        context.save();
        context.beginPath();
        context.rect(from / ratio, top, (to - from) / ratio, height);
        context.clip();
        context.strokeStyle = css(mix(pixel, ink(pixel), 0.65));
        context.lineWidth = 1;
        slants(context, 0, top, room, height);
        context.restore();
      }
    });
    context.restore();
  }
}

/**
 * Where what was read begins and ends, and the timestep that is explained.
 * @param {Explanation} explanation
 * @param {Axis} axis of the series
 */
export function reachOf({ relevance, row }, axis) {
  const at = (/** @type {number} */ t) => axis.at(clamp(t, 0, axis.count - 1));
  const start = relevance.starts[row];
  return {
    from: at(start),
    to: at(start + relevance.told.timesteps - 1),
    explained: at(relevance.explained[row]),
  };
}
