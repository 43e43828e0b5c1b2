// Colours: from a value to a position between 0 and 1, and from there to a colour.

import table from "../../../lstm_widgets/palettes.json";

/** Colours in hexadecimal, a space between two. @typedef {{kind: string, stepped?: boolean, colours: string}} Palette */
/** @typedef {"layer" | "cell" | "sigmoid" | "squared" | [number, number]} Scale */

/** @type {Record<string, Palette>} */
export const palettes = table;

/** Colours in a ramp: fine enough that no step between neighbours is seen. */
export const RAMP = 1024;

/**
 * The palette that "auto" stands for.
 * @param {string} name
 * @param {boolean} diverging whether values on both sides of zero are shown
 * @param {boolean} dark
 */
export function resolve(name, diverging, dark) {
  if (name !== "auto") return name;
  if (!diverging) return "cividis";
  return dark ? "berlin" : "RdBu_r";
}

/** @param {string} hex */
function channels(hex) {
  return [0, 2, 4].map((i) => Number.parseInt(hex.slice(i, i + 2), 16));
}

/**
 * One pixel as ImageData holds it.
 * @param {number[]} rgb
 */
export function pixel([r, g, b]) {
  return ((255 << 24) | (Math.round(b) << 16) | (Math.round(g) << 8) | Math.round(r)) >>> 0;
}

/** A pixel from hexadecimal. @param {string} hex */
export function parse(hex) {
  return pixel(channels(hex));
}

/** @type {Map<string, Uint32Array>} */
const ramps = new Map();

/**
 * All colours of a palette in order, as pixels.
 * @param {string} name
 * @returns {Uint32Array} of RAMP pixels
 */
export function ramp(name) {
  const made = ramps.get(name) ?? makeRamp(name);
  ramps.set(name, made);
  return made;
}

/** @param {string} name */
function makeRamp(name) {
  const { colours, stepped } = palettes[name];
  const stops = colours.split(" ").map(channels);
  const pixels = new Uint32Array(RAMP);
  for (let i = 0; i < RAMP; i++) {
    if (stepped) {
      pixels[i] = pixel(stops[Math.min(stops.length - 1, Math.floor((i / RAMP) * stops.length))]);
      continue;
    }
    const at = (i / (RAMP - 1)) * (stops.length - 1);
    const left = Math.min(stops.length - 2, Math.floor(at));
    const share = at - left;
    pixels[i] = pixel(stops[left].map((c, k) => c + (stops[left + 1][k] - c) * share));
  }
  return pixels;
}

/**
 * Mix two pixels.
 * @param {number} a
 * @param {number} b
 * @param {number} share of b
 */
export function mix(a, b, share) {
  let mixed = 255;
  for (const shift of [16, 8, 0]) {
    const from = (a >>> shift) & 255;
    mixed = (mixed << 8) | Math.round(from + (((b >>> shift) & 255) - from) * share);
  }
  return mixed >>> 0;
}

/** @param {number} pixelValue @returns {string} */
export function css(pixelValue) {
  return `rgb(${pixelValue & 255} ${(pixelValue >>> 8) & 255} ${(pixelValue >>> 16) & 255})`;
}

/**
 * Relative luminance, as WCAG 2 defines it.
 * @param {number} pixelValue
 */
export function luminance(pixelValue) {
  return (
    0.2126 * LINEAR[pixelValue & 255] +
    0.7152 * LINEAR[(pixelValue >>> 8) & 255] +
    0.0722 * LINEAR[(pixelValue >>> 16) & 255]
  );
}

/** Linear light of each sRGB level. */
const LINEAR = Float32Array.from({ length: 256 }, (_, level) => {
  const c = level / 255;
  return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
});

/** Black or white, whichever is read more easily on a colour. @param {number} pixelValue */
export function ink(pixelValue) {
  return luminance(pixelValue) > EITHER_INK ? INK_DARK : INK_LIGHT;
}

// Nothing softer: of any two others, neither can be read on some colours (4.5 : 1 is asked for).
export const INK_DARK = 0xff000000;
export const INK_LIGHT = 0xffffffff;
/** On a colour of this luminance both inks have the same contrast, (L + 0.05) / (ink + 0.05). */
const EITHER_INK = Math.sqrt((luminance(INK_DARK) + 0.05) * (luminance(INK_LIGHT) + 0.05)) - 0.05;

/**
 * How values become positions on a palette.
 *
 * A signed signal is centred at 0; a gate, which lies between 0 and 1, uses the palette from end to
 * end. A gate whose activation leaves that range is shown as a signed signal.
 */
export class Mapping {
  /**
   * @param {Scale} scale
   * @param {{gate: boolean, largest: number, diverging: boolean}} signal largest magnitude of the
   *   layer; whether the palette diverges, which decides where squares start
   */
  constructor(scale, { gate, largest, diverging }) {
    this.scale = scale;
    this.gate = gate;
    this.largest = largest;
    this.diverging = diverging;
  }

  /**
   * The values at both ends of the legend.
   * @returns {[number, number]}
   */
  get range() {
    if (Array.isArray(this.scale)) return this.scale;
    if (this.scale === "squared") return [0, 1];
    if (this.gate) return [0, 1];
    if (this.scale === "cell") return [-1, 1];
    return [-this.largest, this.largest];
  }

  /** Whether a value can lie beyond both ends. */
  get clips() {
    return Array.isArray(this.scale) || (this.gate && this.scale === "layer");
  }

  /**
   * Offset and slope of the position, where that is a line; undefined for a curve.
   * @param {number} cellLargest
   * @returns {[number, number] | undefined}
   */
  line(cellLargest) {
    if (this.scale === "sigmoid" || this.scale === "squared") return undefined;
    const offset = this.position(0, cellLargest);
    return [offset, this.position(1, cellLargest) - offset];
  }

  /**
   * @param {number} value
   * @param {number} cellLargest
   * @returns {number} from 0 to 1; beyond that where a fixed range clips
   */
  position(value, cellLargest) {
    const { scale } = this;
    if (Array.isArray(scale)) return (value - scale[0]) / (scale[1] - scale[0]);
    if (scale === "sigmoid") return 1 / (1 + Math.exp(-value));
    if (scale === "squared") {
      const share = cellLargest > 0 ? Math.min(1, (value / cellLargest) ** 2) : 0;
      return this.diverging ? (1 + share) / 2 : share;
    }
    const largest = scale === "cell" ? cellLargest : this.largest;
    if (this.gate && scale === "layer") return value;
    if (this.gate) return largest > 0 ? value / largest : 0;
    return largest > 0 ? (value / largest + 1) / 2 : 0.5;
  }
}
