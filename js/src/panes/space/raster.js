// Points as pixels: dots, or how many there are.

import { DEPTHS } from "./camera.js";

/** @typedef {import("../../canvas/pixels.js").Pixels} Pixels */
/**
 * Points on the screen, with their colours.
 * @typedef {object} Placed
 * @property {Float32Array} x
 * @property {Float32Array} y
 * @property {Uint32Array} colours pixels
 * @property {Uint32Array} [order] in which they are drawn, or those that are; else all
 */

/** The least that is seen of a pixel with a point in it. */
const FAINT = 0.25;
/** What is seen of a dot from edge to edge; a dot less wide than this has no soft edge. */
const CRISP = 2.1;

/** What is mixed is counted in parts of so many. */
const WHOLE = 256;

/**
 * One pixel mixed into another, in whole numbers: two of its channels at once.
 * @param {number} a
 * @param {number} b
 * @param {number} share of b, from 0 to WHOLE
 */
function mixed(a, b, share) {
  const rest = WHOLE - share;
  const redBlue = ((a & 0xff00ff) * rest + (b & 0xff00ff) * share + 0x800080) >>> 8;
  const green = ((a & 0xff00) * rest + (b & 0xff00) * share + 0x8000) >>> 8;
  return 0xff000000 | (redBlue & 0xff00ff) | (green & 0xff00);
}

/**
 * Colours of points, paler the farther they are and where they aren't selected.
 * @param {Uint32Array} colours pixels
 * @param {number} paper what they fade into
 * @param {{depths?: Uint8Array, far?: number, chosen?: Uint8Array, others?: number}} of how near each is, and
 *   how much of the paper the farthest have; which are selected, and how much the others have
 * @returns {Uint32Array}
 */
export function faded(colours, paper, { depths, far = 0, chosen, others = 0 }) {
  const shares = new Uint16Array(2 * DEPTHS);
  for (let depth = 0; depth < DEPTHS; depth++) {
    const near = depths ? 1 - (far * (DEPTHS - 1 - depth)) / (DEPTHS - 1) : 1;
    shares[depth] = WHOLE * (1 - near * (1 - others));
    shares[DEPTHS + depth] = WHOLE * (1 - near);
  }
  const found = new Uint32Array(colours.length);
  for (let i = 0; i < colours.length; i++) {
    const at = (depths ? depths[i] : 0) + (!chosen || chosen[i] ? DEPTHS : 0);
    found[i] = mixed(colours[i], paper, shares[at]);
  }
  return found;
}

/**
 * The pixels that a dot covers, from its middle, and how much of each.
 * @param {number} radius
 */
function mask(radius) {
  const reach = Math.ceil(radius + 0.5);
  const [xs, ys, cover] = /** @type {number[][]} */ ([[], [], []]);
  for (let y = -reach; y <= reach; y++)
    for (let x = -reach; x <= reach; x++) {
      const inside = Math.round(WHOLE * Math.min(1, radius + 0.5 - Math.hypot(x, y)));
      if (inside <= 0) continue;
      xs.push(x);
      ys.push(y);
      cover.push(inside);
    }
  return { reach, xs, ys, cover };
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
function stamp({ width, height, all }, { reach, xs, ys, cover }, cx, cy, colour) {
  if (!(cx >= -reach && cy >= -reach && cx < width + reach && cy < height + reach)) return;
  const whole = cx >= reach && cy >= reach && cx < width - reach && cy < height - reach;
  for (let k = 0; k < cover.length; k++) {
    const x = cx + xs[k];
    const y = cy + ys[k];
    if (!whole && !(x >= 0 && y >= 0 && x < width && y < height)) continue;
    const at = y * width + x;
    const share = cover[k];
    const under = all[at];
    if (share === WHOLE) all[at] = colour;
    else if (under === 0) all[at] = (colour & 0xffffff) | (share << 24);
    else {
      const opaque = Math.max(under >>> 24, share);
      all[at] = (mixed(under, colour, share) & 0xffffff) | (opaque << 24);
    }
  }
}

/**
 * Draw how many points there are in each pixel, by powers of ten, in the mean of their colours.
 * @param {Pixels} pixels transparent where nothing is
 * @param {Placed} placed
 * @param {{scale?: number, step?: number}} coarsely pixels to one of the page; one point of so many is counted
 * @returns {number} how many the fullest has
 */
export function density(pixels, { x, y, colours }, { scale = 1, step = 1 } = {}) {
  const { width, height, all } = pixels;
  const size = width * height;
  // Of each pixel side by side, so that a point touches one place in memory: how many, red, green, blue.
  if (sums.length === 4 * size) sums.fill(0);
  else sums = new Uint32Array(4 * size);
  const into = sums;
  let most = 0;
  for (let k = 0; k * step < x.length; k++) {
    // Now an earlier one, now a later one: what comes again and again must not always be the one left out.
    const i = k * step + (((Math.imul(k, GOLDEN) & 0xffff) * step) >>> 16);
    const column = x[i] * scale;
    const row = y[i] * scale;
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
  const rise = most > 1 ? (1 - FAINT) / Math.log(most) : 0;
  const strength = (/** @type {number} */ here) =>
    Math.round(255 * (most > 1 ? FAINT + rise * Math.log(here) : 1));
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

/** The golden ratio's part below one, of 2 ** 16. */
const GOLDEN = 40_503;

/** What is summed up is kept for the next picture of the same size. */
let sums = new Uint32Array(0);
/** The strengths of up to so many points are worked out once a picture. */
const KNOWN = 4096;

/**
 * Points from the farthest to the nearest, without those that aren't seen.
 * @param {Uint8Array} depths as a camera gives them
 * @returns {Uint32Array}
 */
export function byDepth(depths) {
  const starts = new Uint32Array(DEPTHS + 1);
  for (let i = 0; i < depths.length; i++) starts[depths[i] + 1]++;
  const unseen = starts[1];
  starts[1] = 0;
  for (let depth = 1; depth < DEPTHS; depth++) starts[depth + 1] += starts[depth];
  const order = new Uint32Array(depths.length - unseen);
  for (let i = 0; i < depths.length; i++) if (depths[i]) order[starts[depths[i]]++] = i;
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
