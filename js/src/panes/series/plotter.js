// How lines are drawn. Where timesteps are apart: from one to the next. Where several share a pixel: from
// the lowest to the highest of them, pixel by pixel, so that no spike is lost.

import { css } from "../../colour/palettes.js";
import { POOLED, TILE } from "../../data/levels.js";
import { clamp } from "../../lib/clamp.js";
import { placeFrom } from "../../lib/sorted.js";

/** @typedef {import("../../data/lines.js").Lines} Lines */
/** @typedef {import("../../data/lines.js").Key} Key */
/** @typedef {import("../../data/axis.js").Axis} Axis */

/**
 * What of the time axis is seen, in device pixels.
 * @typedef {object} View
 * @property {number} start the place at the left edge
 * @property {number} scale pixels from a place to the next
 * @property {number} width
 * @property {number} height
 * @property {number} ratio device pixels a CSS pixel
 */

/**
 * How a line is drawn.
 * @typedef {object} Look
 * @property {number} colour a pixel
 * @property {number} width in CSS pixels
 * @property {[below: number, above: number]} [area] what lies between it and zero, as pixels
 * @property {boolean} [steps] whether it holds its value for all of a timestep
 * @property {boolean} [ground] whether only the area is drawn, and faintly: other lines lie on it
 */

/**
 * Where a line stands: what of it, and which values are at the bottom and at the top, in device pixels.
 * @typedef {object} Place
 * @property {Key} key
 * @property {number} example
 * @property {number} top
 * @property {number} bottom
 * @property {[number, number]} range
 */

/** From so many device pixels a timestep on, each is drawn for itself. */
const APART = 1;
/** From so many CSS pixels on, it has a dot. */
const DOTTED = 9;
/** How much of its colour what lies under a line has. */
const AREA = 0.5;
const GROUND = 0.22;

/** @param {number} pixel @param {number} share */
const faint = (pixel, share) => ((pixel & 0xffffff) | (Math.round(255 * share) << 24)) >>> 0;

export class Plotter {
  #canvas = document.createElement("canvas");
  /** @type {ImageData | undefined} */
  #image;
  #pixels = new Uint32Array(0);
  #low = new Float32Array(0);
  #high = new Float32Array(0);
  #used = false;
  /** Whether the image is on the canvas. */
  #put = false;
  /** What was drawn last, pixel by pixel. @type {View} */
  #view = { start: 0, scale: 1, width: 0, height: 0, ratio: 1 };
  /** Lines that are drawn over it. @type {((context: CanvasRenderingContext2D) => void)[]} */
  #apart = [];

  /** @param {View} view */
  begin(view) {
    this.#view = view;
    const { width, height } = view;
    if (this.#image?.width !== width || this.#image.height !== height) {
      this.#canvas.width = width;
      this.#canvas.height = height;
      this.#image = new ImageData(width, height);
      this.#pixels = new Uint32Array(this.#image.data.buffer);
      this.#low = new Float32Array(width);
      this.#high = new Float32Array(width);
    } else if (this.#used) this.#pixels.fill(0);
    this.#used = this.#put = false;
    this.#apart = [];
  }

  /**
   * Put all that was drawn where it belongs.
   * @param {CanvasRenderingContext2D} context
   * @param {number} x in CSS pixels
   * @param {number} y
   */
  end(context, x, y) {
    const { ratio } = this.#view;
    context.save();
    context.setTransform(1, 0, 0, 1, Math.round(x * ratio), Math.round(y * ratio));
    if (this.#used && this.#image) {
      if (!this.#put) this.#canvas.getContext("2d")?.putImageData(this.#image, 0, 0);
      this.#put = true;
      context.drawImage(this.#canvas, 0, 0);
    }
    for (const draw of this.#apart) draw(context);
    context.restore();
  }

  /**
   * @param {Lines} lines
   * @param {Axis} axis
   * @param {Place} place
   * @param {Look} look
   */
  line(lines, axis, place, look) {
    const { start, scale, width } = this.#view;
    if (axis.count === 0 || width <= 0) return;
    const from = Math.max(0, axis.before(start - 2 / scale) - 1);
    const to = Math.min(axis.count - 1, axis.before(start + (width + 2) / scale) + 1);
    const each = (scale * (axis.at(to) - axis.at(from))) / Math.max(1, to - from) || scale;
    if (each < APART) {
      const level = Math.max(0, Math.floor(Math.log(1 / each) / Math.log(POOLED)));
      this.#together(lines, axis, place, look, level, from, to);
      return;
    }
    // What has not arrived yet is drawn as it is known from afar.
    /** @type {[number, Float32Array][]} */
    const tiles = [];
    for (let block = Math.floor(from / TILE); block * TILE <= to; block++) {
      const tile = lines.tile(place.key, place.example, 0, block);
      if (tile) tiles.push([block * TILE, tile.low]);
      else {
        const [a, b] = [Math.max(from, block * TILE), Math.min(to, (block + 1) * TILE - 1)];
        this.#together(lines, axis, place, look, 0, a, b);
      }
    }
    this.#apart.push((context) =>
      this.#separate(context, axis, place, look, tiles, from, to, each),
    );
  }

  /** @param {Place} place */
  #scaleOf({ top, bottom, range: [low, high] }) {
    const factor = (top - bottom) / (high - low || 1);
    return (/** @type {number} */ value) => bottom + (clamp(value, low, high) - low) * factor;
  }

  /**
   * From one timestep to the next.
   * @param {CanvasRenderingContext2D} context
   * @param {Axis} axis
   * @param {Place} place
   * @param {Look} look
   * @param {[number, Float32Array][]} tiles by the timestep they begin with
   * @param {number} from
   * @param {number} to
   * @param {number} each device pixels a timestep
   */
  #separate(context, axis, place, look, tiles, from, to, each) {
    const { colour, width, area, steps, ground } = look;
    const { start, scale, ratio } = this.#view;
    const y = this.#scaleOf(place);
    const zero = y(0);
    /** Stretches without a gap. @type {[number, number][][]} */
    const stretches = [];
    const { gaps } = axis.times;
    let gap = placeFrom(gaps, from);
    let end = -2;
    for (const [first, values] of tiles) {
      const stop = Math.min(to + 1, first + values.length);
      for (let i = Math.max(from, first); i < stop; i++) {
        const value = values[i - first];
        if (Number.isNaN(value)) continue;
        const x = (axis.at(i) - start) * scale;
        const before = gap;
        while (gaps[gap] <= i) gap++;
        if (i !== end + 1 || gap > before) stretches.push([]);
        const points = stretches[stretches.length - 1];
        if (steps) points.push([x - each / 2, y(value)], [x + each / 2, y(value)]);
        else points.push([x, y(value)]);
        end = i;
      }
    }
    const trace = (/** @type {[number, number][]} */ points) => {
      context.moveTo(...points[0]);
      for (let i = 1; i < points.length; i++) context.lineTo(...points[i]);
    };
    if (area) {
      for (const [side, [top, bottom]] of [
        [zero, place.bottom + 1],
        [place.top - 1, zero],
      ].entries()) {
        if (bottom <= top) continue;
        context.save();
        context.beginPath();
        context.rect(0, top, this.#view.width, bottom - top);
        context.clip();
        context.beginPath();
        for (const points of stretches) {
          trace(points);
          context.lineTo(points[points.length - 1][0], zero);
          context.lineTo(points[0][0], zero);
          context.closePath();
        }
        context.globalAlpha = ground ? GROUND : AREA;
        context.fillStyle = css(area[side]);
        context.fill();
        context.restore();
      }
    }
    if (ground) return;
    context.beginPath();
    for (const points of stretches) trace(points);
    context.strokeStyle = context.fillStyle = css(colour);
    context.lineWidth = width * ratio;
    context.lineJoin = "round";
    context.stroke();
    const dotted = !steps && each >= DOTTED * ratio;
    const radius = (dotted ? 1 + width / 1.6 : Math.max(1.8, width)) * ratio;
    context.beginPath();
    for (const points of stretches) {
      // One alone between two gaps is no line, and would not be seen.
      if (!dotted && (steps || points.length > 1)) continue;
      for (const [x, at] of points) {
        context.moveTo(x + radius, at);
        context.arc(x, at, radius, 0, 2 * Math.PI);
      }
    }
    context.fill();
  }

  /**
   * The lowest and the highest of each pixel.
   * @param {Lines} lines
   * @param {Axis} axis
   * @param {Place} place
   * @param {Look} look
   * @param {number} level
   * @param {number} from
   * @param {number} to
   */
  #together(lines, axis, place, look, level, from, to) {
    const { start, scale, width } = this.#view;
    const [low, high] = [this.#low, this.#high];
    low.fill(NaN);
    const size = POOLED ** level;
    const { gaps } = axis.times;
    let gap = placeFrom(gaps, from);
    // What came last: in which pixel, from where to where; before a gap, and at first, nothing.
    let [at, below, above] = [-1, NaN, NaN];
    let [least, most] = [width, -1];
    const put = (/** @type {number} */ x, /** @type {number} */ a, /** @type {number} */ b) => {
      if (x < 0 || x >= width) return;
      if (!(low[x] <= a)) low[x] = a;
      if (x > most || x < least || !(high[x] >= b)) high[x] = b;
      if (x < least) least = x;
      if (x > most) most = x;
    };
    const first = Math.floor(from / size / TILE);
    for (let block = first; block * TILE * size <= to; block++) {
      const found = lines.best(place.key, place.example, level, block);
      if (!found) {
        below = NaN;
        continue;
      }
      const stop = Math.min(to, (block + 1) * TILE * size - 1);
      const begin = Math.max(from, block * TILE * size);
      const many = found.low.length;
      const skip = clamp(Math.floor((begin - found.first) / found.size), 0, many);
      const { low: lows, high: highs, first: begins, size: each } = found;
      for (let run = skip; run < many; run++) {
        const one = Math.max(begin, begins + run * each);
        if (one > stop) break;
        const last = Math.min(stop, begins + (run + 1) * each - 1);
        const a = lows[run];
        const b = highs[run];
        while (gaps[gap] < one) gap++;
        if (gaps[gap] === one) below = NaN;
        if (Number.isNaN(a)) {
          below = NaN;
          continue;
        }
        // A run that is no wider than a pixel is one, and doesn't smear into the next.
        const left = (axis.at(one) - start) * scale;
        const right = one === last ? left : (axis.at(last) - start) * scale;
        const narrow = right - left <= 1;
        const x = Math.floor(narrow ? (left + right) / 2 : left);
        const end = narrow ? x : Math.floor(right);
        if (!Number.isNaN(below)) {
          // The line goes on from there, also across pixels in which no timestep stands.
          if (x > at + 1) {
            const middle = (below + above) / 2;
            const rise = ((a + b) / 2 - middle) / (x - at);
            for (let between = Math.max(at + 1, 0); between < Math.min(x, width); between++) {
              const from = middle + rise * (between - at);
              put(between, Math.min(from, from + rise), Math.max(from, from + rise));
            }
          }
          if (a > above) put(x, above, b);
          else if (b < below) put(x, a, below);
        }
        if (end === x) put(x, a, b);
        else if (gaps[gap] > one && gaps[gap] <= last) {
          // What it spans is missing for the most part.
          put(x, a, b);
          put(end, a, b);
        } else {
          const far = Math.min(end, width - 1);
          for (let column = Math.max(0, x); column <= far; column++) put(column, a, b);
        }
        at = end;
        below = a;
        above = b;
      }
    }
    if (most >= least) this.#raster(place, look, least, most);
  }

  /**
   * @param {Place} place
   * @param {Look} look
   * @param {number} least the first pixel
   * @param {number} most the last
   */
  #raster(place, { colour, width: thick, area, steps, ground }, least, most) {
    const { width, height, ratio } = this.#view;
    const [low, high, pixels] = [this.#low, this.#high, this.#pixels];
    const y = this.#scaleOf(place);
    const zero = y(0);
    const half = (thick * ratio) / 2;
    const under = area?.map((pixel) => faint(pixel, ground ? GROUND : AREA));
    const [first, last] = [
      Math.max(0, Math.floor(place.top - half)),
      Math.min(height - 1, Math.ceil(place.bottom + half)),
    ];
    this.#used = true;
    const fill = (
      /** @type {number} */ x,
      /** @type {number} */ from,
      /** @type {number} */ to,
      /** @type {number} */ pixel,
    ) => {
      const stop = Math.min(last, Math.round(to));
      for (let row = Math.max(first, Math.round(from)); row < stop; row++)
        pixels[row * width + x] = pixel;
    };
    for (let x = least; x <= most; x++) {
      if (Number.isNaN(low[x])) continue;
      const [top, bottom] = [y(high[x]), y(low[x])];
      if (under) {
        if (top < zero) fill(x, top, zero, under[1]);
        if (bottom > zero) fill(x, zero, bottom, under[0]);
      }
      // So many lines up and down would hide it.
      if (steps || ground) continue;
      const [from, to] = [top - half, bottom + half];
      const [begin, end] = [Math.max(first, Math.floor(from)), Math.min(last, Math.ceil(to) - 1)];
      for (let row = begin; row <= end; row++) {
        const cover = Math.min(row + 1, to) - Math.max(row, from);
        const i = row * width + x;
        if (cover >= 0.999) pixels[i] = colour;
        else pixels[i] = over(pixels[i], colour, cover);
      }
    }
  }
}

/**
 * A colour over another, both as ImageData has them: not multiplied by how opaque they are.
 * @param {number} under
 * @param {number} colour an opaque one
 * @param {number} share
 */
function over(under, colour, share) {
  const below = (under >>> 24) / 255;
  const alpha = share + below * (1 - share);
  if (alpha <= 0) return 0;
  let made = Math.round(255 * alpha);
  for (const shift of [16, 8, 0]) {
    const [a, b] = [(under >>> shift) & 255, (colour >>> shift) & 255];
    made = (made << 8) | Math.round((b * share + a * below * (1 - share)) / alpha);
  }
  return made >>> 0;
}
