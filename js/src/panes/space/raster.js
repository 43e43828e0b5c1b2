// Points as pixels: dots, or how many there are.

import { mix } from "../../colour/palettes.js";

/** @typedef {import("../../canvas/pixels.js").Pixels} Pixels */
/**
 * Points on the screen, with their colours.
 * @typedef {object} Placed
 * @property {Float32Array} x
 * @property {Float32Array} y
 * @property {Uint32Array} colours pixels
 * @property {Uint32Array | undefined} order in which they are drawn, or those that are; all, if undefined
 */

/** The least that is seen of a pixel with a point in it. */
const FAINT = 0.25;
/** What is seen of a dot from edge to edge; a dot less wide than this has no soft edge. */
const CRISP = 1.6;

/**
 * How much of each pixel a dot covers, from 0 to 255.
 * @param {number} radius
 */
function mask(radius) {
  const reach = Math.ceil(radius + 0.5);
  const size = 2 * reach + 1;
  const cover = new Uint8Array(size * size);
  for (let y = -reach; y <= reach; y++)
    for (let x = -reach; x <= reach; x++) {
      const inside = Math.min(1, Math.max(0, radius + 0.5 - Math.hypot(x, y)));
      cover[(y + reach) * size + x + reach] = Math.round(255 * inside);
    }
  return { reach, size, cover };
}

/**
 * Draw points as dots.
 * @param {Pixels} pixels transparent where nothing is
 * @param {Placed} placed
 * @param {{ratio: number, radius: number, halo?: number, rim: number}} look pixels of the canvas to one
 *   of the page; the radius in those of the page, and how wide a rim sets a dot off, and its colour
 */
export function dots(pixels, { x, y, colours, order }, { ratio, radius, halo = 0, rim: edge }) {
  const { width, height, all } = pixels;
  const count = order?.length ?? x.length;
  const wide = radius * ratio;
  if (wide < CRISP) {
    const size = Math.max(1, Math.round(2 * wide));
    const half = size >> 1;
    for (let k = 0; k < count; k++) {
      const i = order ? order[k] : k;
      const left = Math.floor(x[i] * ratio) - half;
      const top = Math.floor(y[i] * ratio) - half;
      if (left < 0 || top < 0 || left + size > width || top + size > height) continue;
      const colour = colours[i];
      for (let row = 0, at = top * width + left; row < size; row++, at += width)
        for (let column = 0; column < size; column++) all[at + column] = colour;
    }
    return;
  }
  const dot = mask(wide);
  const rim = halo > 0 ? mask(wide + halo * ratio) : undefined;
  for (let k = 0; k < count; k++) {
    const i = order ? order[k] : k;
    const [cx, cy] = [Math.round(x[i] * ratio), Math.round(y[i] * ratio)];
    if (rim) stamp(pixels, rim, cx, cy, edge);
    stamp(pixels, dot, cx, cy, colours[i]);
  }
}

/**
 * @param {Pixels} pixels
 * @param {ReturnType<typeof mask>} mask
 * @param {number} cx
 * @param {number} cy
 * @param {number} colour
 */
function stamp({ width, height, all }, { reach, size, cover }, cx, cy, colour) {
  const [left, top] = [cx - reach, cy - reach];
  if (left >= width || top >= height || left + size <= 0 || top + size <= 0) return;
  const [fromX, toX] = [Math.max(0, -left), Math.min(size, width - left)];
  const [fromY, toY] = [Math.max(0, -top), Math.min(size, height - top)];
  for (let row = fromY; row < toY; row++) {
    const at = (top + row) * width + left;
    for (let column = fromX; column < toX; column++) {
      const alpha = cover[row * size + column];
      if (alpha === 0) continue;
      const under = all[at + column];
      if (alpha === 255) all[at + column] = colour;
      else if (under === 0) all[at + column] = ((colour & 0xffffff) | (alpha << 24)) >>> 0;
      else {
        const opaque = Math.max(under >>> 24, alpha);
        const mixed = mix(under, colour, alpha / 255);
        all[at + column] = ((mixed & 0xffffff) | (opaque << 24)) >>> 0;
      }
    }
  }
}

/**
 * Draw how many points there are in each pixel, by powers of ten, in the mean of their colours.
 * @param {Pixels} pixels transparent where nothing is
 * @param {Placed} placed
 * @returns {number} how many the fullest has
 */
export function density(pixels, { x, y, colours, order }) {
  const { width, height, all } = pixels;
  const size = width * height;
  // Of each pixel side by side, so that a point touches one place in memory: how many, red, green, blue.
  if (sums.length === 4 * size) sums.fill(0);
  else sums = new Uint32Array(4 * size);
  const into = sums;
  const count = order?.length ?? x.length;
  let most = 0;
  for (let k = 0; k < count; k++) {
    const i = order ? order[k] : k;
    const [column, row] = [x[i], y[i]];
    if (!(column >= 0 && column < width && row >= 0 && row < height)) continue;
    const at = 4 * ((row | 0) * width + (column | 0));
    const colour = colours[i];
    const here = into[at] + 1;
    if (here > most) most = here;
    into[at] = here;
    into[at + 1] += colour & 255;
    into[at + 2] += (colour >>> 8) & 255;
    into[at + 3] += (colour >>> 16) & 255;
  }
  const scale = most > 1 ? (1 - FAINT) / Math.log(most) : 0;
  const strength = (/** @type {number} */ here) =>
    Math.round(255 * (most > 1 ? FAINT + scale * Math.log(here) : 1));
  const known = Uint8Array.from({ length: Math.min(most, KNOWN) + 1 }, (_, here) => strength(here));
  for (let at = 0, from = 0; at < size; at++, from += 4) {
    const here = into[from];
    if (here === 0) continue;
    const alpha = here < known.length ? known[here] : strength(here);
    const each = 1 / here;
    all[at] =
      (alpha << 24) |
      ((into[from + 3] * each + 0.5) << 16) |
      ((into[from + 2] * each + 0.5) << 8) |
      (into[from + 1] * each + 0.5);
  }
  return most;
}

/** What is summed up is kept for the next picture of the same size. */
let sums = new Uint32Array(0);
/** The strengths of up to so many points are worked out once a picture. */
const KNOWN = 4096;

/** Shades of depth. */
const DEPTHS = 256;

/**
 * Points from the farthest to the nearest.
 * @param {Float32Array} depth
 * @param {number} reach the largest magnitude of one
 * @returns {Uint32Array}
 */
export function byDepth(depth, reach) {
  const count = depth.length;
  const keys = new Uint8Array(count);
  const starts = new Uint32Array(DEPTHS + 1);
  const scale = (DEPTHS - 1) / (2 * reach);
  for (let i = 0; i < count; i++) {
    const key = Math.min(DEPTHS - 1, Math.max(0, (depth[i] + reach) * scale)) | 0;
    keys[i] = key;
    starts[key + 1]++;
  }
  for (let key = 0; key < DEPTHS; key++) starts[key + 1] += starts[key];
  const order = new Uint32Array(count);
  for (let i = 0; i < count; i++) order[starts[keys[i]]++] = i;
  return order;
}

/**
 * Points inside of a line that is closed, by the rule of even and odd.
 * @param {Float32Array} x
 * @param {Float32Array} y
 * @param {[number, number][]} corners
 * @returns {number[]} which of them, rising
 */
export function inside(x, y, corners) {
  const found = [];
  const [xs, ys] = [corners.map((corner) => corner[0]), corners.map((corner) => corner[1])];
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const [top, bottom] = [Math.min(...ys), Math.max(...ys)];
  for (let i = 0; i < x.length; i++) {
    const [px, py] = [x[i], y[i]];
    if (!(px >= left && px <= right && py >= top && py <= bottom)) continue;
    let odd = false;
    for (let a = 0, b = corners.length - 1; a < corners.length; b = a++) {
      if (ys[a] > py !== ys[b] > py) {
        const crossing = xs[a] + ((py - ys[a]) / (ys[b] - ys[a])) * (xs[b] - xs[a]);
        if (px < crossing) odd = !odd;
      }
    }
    if (odd) found.push(i);
  }
  return found;
}

/**
 * The point nearest to a place, no farther than so much; -1 if there is none.
 * @param {Float32Array} x
 * @param {Float32Array} y
 * @param {number} px
 * @param {number} py
 * @param {number} within
 */
export function nearest(x, y, px, py, within) {
  let [found, best] = [-1, within * within];
  for (let i = 0; i < x.length; i++) {
    const [dx, dy] = [x[i] - px, y[i] - py];
    const apart = dx * dx + dy * dy;
    // Of several at one place the last, which is drawn over the others.
    if (apart <= best) [found, best] = [i, apart];
  }
  return found;
}
