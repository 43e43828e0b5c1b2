// What lies behind the lines of channels: the relevance of each timestep, as colour.

import { slants } from "../../canvas/slants.js";
import { css, ink, mix } from "../../colour/palettes.js";
import { Band } from "../../colour/relevance_colours.js";
import { POOLED, TILE } from "../../data/levels.js";
import { stronger } from "../../data/series_relevance.js";
import { clamp } from "../../lib/clamp.js";
import { Memo } from "../../lib/memo.js";
import { inLine } from "../../lib/tokens.js";
import { methodName } from "../../lib/wording.js";

/** @typedef {import("../../data/lines.js").Lines} Lines */
/** @typedef {import("../../data/lines.js").Key} Key */
/** @typedef {import("../../data/axis.js").Axis} Axis */
/** @typedef {import("../../state/series.js").SeriesState} SeriesState */
/** @typedef {import("../../state/lines_only.js").Explanation} Explanation */
/** @typedef {import("../../data/series_relevance.js").Of} Of */

/** How much of their colour values have, on a light page and on a dark one: lines lie on it. */
const SHARES = [0.66, 0.85];

/**
 * What of the time axis is seen.
 * @typedef {{start: number, scale: number, width: number}} View
 *   the place at the left edge, pixels from a place to the next, and how many pixels
 */

/**
 * Whether colours are of all channels added up: behind lines of many kinds in one, and behind the one line of
 * each example, unless it is a channel's.
 * @param {SeriesState} state
 */
export function addsUp(state) {
  const arrange = state.model.get("arrange");
  if (arrange === "bands") return false;
  const { subjects, subject } = state;
  const [one, other] = arrange === "examples" ? [subject] : subjects;
  return other !== undefined || one?.kind !== "channel";
}

/** By which method relevance was computed. @param {Explanation} explanation */
export function byMethod({ relevance, method }) {
  return `relevance by ${inLine(methodName(relevance.told.methods[method].name))}`;
}

/**
 * Which relevance stands behind a band; null if none does.
 * @param {SeriesState} state
 * @param {import("./bands.js").Band} band
 * @returns {{channel: number | undefined} | null}
 */
export function behind(state, { drawn }) {
  const [kind, index] = drawn[0].subject.keys[0];
  if (drawn.length === 1 && kind === "channel") return { channel: index };
  return addsUp(state) ? { channel: undefined } : null;
}

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
  const begins = (/** @type {number} */ t) => {
    const at = axis.at(t);
    return t === 0 ? at - half : Math.max(at - half, (axis.at(t - 1) + at) / 2);
  };
  const ends = (/** @type {number} */ t) => {
    const at = axis.at(t);
    return t + 1 === axis.count ? at + half : Math.min(at + half, (at + axis.at(t + 1)) / 2);
  };
  const x = (/** @type {number} */ place) => (place - start) * scale;
  // At equal steps, which most are, there is nothing to look up.
  const { even } = axis;
  const step = even ? even[1] * scale : 0;
  const zero = even ? x(even[0]) - step / 2 : 0;
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
    const { low, high, first: origin, size: long } = found;
    for (let run = Math.max(0, Math.floor((begin - origin) / long)); run < low.length; run++) {
      const a = Math.max(begin, origin + run * long) + first;
      if (a > stop + first) break;
      const value = stronger(low[run], high[run]);
      if (Number.isNaN(value)) continue;
      const b = Math.min(stop, origin + (run + 1) * long - 1) + first;
      const left = even ? zero + a * step : x(begins(a));
      const right = even ? zero + (b + 1) * step : x(ends(b));
      if (right - left > 2 * each * (b - a + 1) + 2) {
        // There is a gap in it.
        put(Math.floor(x(axis.at(a))), value);
        put(Math.floor(x(axis.at(b))), value);
        continue;
      }
      // Each is seen, however narrow it is.
      put(Math.floor((left + right) / 2), value);
      if (right - left <= 1) continue;
      const far = Math.min(Math.round(right), width);
      for (let column = Math.max(0, Math.round(left)); column < far; column++) put(column, value);
    }
  }
  return columns;
}

export class Ground {
  #canvas = document.createElement("canvas");
  #seen = new Memo();
  #drawn = new Memo();
  /** @type {Float32Array[]} */
  #columns = [];
  #coloured = new Memo();
  /** @type {Band | undefined} */
  #band;
  /** Of each band stretches of columns that are beyond the colours, by their pixel. @type {Map<number, [from: number, to: number][]>[]} */
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
    const look = grounds.map(({ explanation, of, example }) => [example, explanation.row, of]);
    if (this.#seen.changed([JSON.stringify([look, view]), lines, lines.version])) {
      this.#columns = grounds.map(({ explanation: { relevance, row }, of, axis }) => {
        const [first, count] = [relevance.starts[row], relevance.told.timesteps];
        return columnsOf(lines, axis, { key: relevance.key(of), row, first, count }, view);
      });
    }
    const bands = grounds.map(({ explanation }) => this.colours(explanation, theme));
    if (this.#drawn.changed([this.#columns, ...bands])) this.#draw(grounds, bands, view.width);
    context.save();
    context.imageSmoothingEnabled = false;
    grounds.forEach(({ top, height }, i) => {
      context.drawImage(this.#canvas, 0, i, view.width, 1, 0, top, view.width / ratio, height);
      for (const [pixel, stretches] of this.#clipped[i]) {
        context.save();
        context.beginPath();
        for (const [from, to] of stretches)
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

  /**
   * Colour the columns, a row of pixels for each band.
   * @param {{explanation: Explanation, of: Of}[]} grounds
   * @param {Band[]} bands
   * @param {number} width
   */
  #draw(grounds, bands, width) {
    const image = new ImageData(width, grounds.length);
    const pixels = new Uint32Array(image.data.buffer);
    this.#clipped = grounds.map(({ explanation, of }, i) => {
      const range = bands[i].range(explanation.largest(of));
      const { fixed } = bands[i];
      /** @type {Map<number, [number, number][]>} */
      const clipped = new Map();
      this.#columns[i].forEach((value, column) => {
        if (Number.isNaN(value)) return;
        const pixel = bands[i].pixel(value, range);
        pixels[i * width + column] = pixel;
        // Within a range that is that of the values there is nothing to ask, for so many columns.
        if (!fixed && Number.isFinite(value)) return;
        if (!bands[i].clipped(value, range)) return;
        const stretches = clipped.get(pixel) ?? [];
        clipped.set(pixel, stretches);
        const last = stretches[stretches.length - 1];
        if (last?.[1] === column) last[1]++;
        else stretches.push([column, column + 1]);
      });
      return clipped;
    });
    this.#canvas.width = image.width;
    this.#canvas.height = image.height;
    this.#canvas.getContext("2d")?.putImageData(image, 0, 0);
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
