// The channels that were read, as small lines above the columns: where tokens stand above a text.

import { lineCss } from "../colour/lines.js";
import { POOLED, TILE } from "../data/levels.js";
import { placeOf } from "../lib/sorted.js";
import { inLine } from "../lib/tokens.js";
import { many, shortRange } from "../lib/wording.js";
import { CLOSER, cut } from "./ruler.js";

/** @typedef {import("../data/lines.js").Lines} Lines */
/** @typedef {import("../data/lines.js").Key} Key */
/** @typedef {import("../layout/columns.js").Columns} Columns */

/** No more channels are shown here. */
const MOST = 8;
/** How high a channel is: where there are few, and where there are more. */
const [ROOMY, FEW, CLOSE] = [26, 4, 16];
const TOLD = 12;
/** A lower one has its name beside it, not its unit and the ends of its range. */
const ROOM_FOR_RANGE = 20;
/** Above and below a line. */
const EDGE = 3;
const THICK = 1.2;

/**
 * The channels above the columns of a layer.
 * @param {import("../data/layer.js").Layer | undefined} layer
 * @param {Lines | undefined} lines
 * @returns {{name: string, unit: string}[]}
 */
export function channelsOf(layer, lines) {
  if (!layer || layer.tokens || !lines?.follows(layer.name)) return [];
  return lines.beside.channels.slice(0, MOST);
}

/**
 * How high all of them are, and the line that tells of those that aren't shown.
 * @param {number} count
 * @param {number} all how many there are
 */
export function stripHeight(count, all = count) {
  return count * pitchOf(count) + (count > 0 && all > count ? TOLD : 0);
}

/** @param {number} count */
const pitchOf = (count) => (count <= FEW ? ROOMY : CLOSE);

/**
 * @param {CanvasRenderingContext2D} context
 * @param {{layer: import("../data/layer.js").Layer, lines: Lines, theme: import("../colour/theme.js").Theme, column: number}} scene
 *   the selected column
 * @param {{columns: Columns, gutter: number, left: number, width: number, top: number}} place what stands at
 *   the left of columns, how far these are scrolled, the width of all; the upper edge
 */
export function drawChannels(context, scene, { columns, gutter, left, width, top }) {
  const { layer, lines, theme, column } = scene;
  const channels = channelsOf(layer, lines);
  const pitch = pitchOf(channels.length);
  const [first, last] = columns.between(left, left + width - gutter);
  const selected = Math.floor(column / layer.timesteps);
  /** @type {number[]} */
  const examples = [];
  for (let e = Math.floor(first / layer.timesteps); e * layer.timesteps <= last; e++)
    examples.push(e);
  const more = lines.beside.channels.length - channels.length;
  if (more > 0) {
    context.textAlign = "left";
    context.textBaseline = "middle";
    context.fillStyle = theme.colour.muted;
    context.font = `9px ${theme.font}`;
    const told = `${many(more, "more channel")}: SeriesPlot has all of them`;
    context.fillText(told, gutter + 4, top + channels.length * pitch + TOLD / 2);
  }
  channels.forEach(({ name, unit }, i) => {
    /** @type {Key} */
    const key = ["channel", i, "", ""];
    const y = top + i * pitch;
    const ends = [...examples, selected].map((example) => lines.extent(key, example));
    const known = /** @type {[number, number][]} */ (ends.filter(Boolean));
    const low = Math.min(...known.map((each) => each[0]));
    const high = Math.max(...known.map((each) => each[1]));
    const colour = lineCss("channel", i, theme);
    drawNames(context, { name, unit, colour, theme }, { gutter, y, pitch, range: [low, high] });
    if (known.length === 0) return;
    const floor = y + pitch - EDGE - 0.5;
    const scale = high > low ? (pitch - 2 * EDGE - 1) / (high - low) : 0;
    const yOf = (/** @type {number} */ value) =>
      scale ? floor - (value - low) * scale : y + pitch / 2;
    context.save();
    context.beginPath();
    context.rect(gutter, y, width - gutter, pitch);
    context.clip();
    context.fillStyle = theme.colour.line;
    context.globalAlpha = 0.6;
    const zero = low < 0 && high > 0 ? yOf(0) : y + pitch - 1;
    context.fillRect(gutter, Math.round(zero), Math.min(width - gutter, columns.total - left), 1);
    context.globalAlpha = 1;
    context.strokeStyle = context.fillStyle = colour;
    context.lineWidth = THICK;
    for (const example of examples) {
      const begin = example * layer.timesteps;
      const from = Math.max(0, first - begin);
      const to = Math.min(layer.timesteps - 1, last - begin);
      const x = (/** @type {number} */ t) => gutter + columns.start(begin + t) - left;
      const at = lines.inSeries(layer.name, example);
      const { gaps } = lines.axis(layer.name, example).times;
      const read = reader(lines, key, example);
      const span = { read, from, to, gaps };
      if (columns.width >= 1) drawPoints(context, span, at, (t) => x(t) + columns.width / 2, yOf);
      else drawPooled(context, span, at, x, columns.width, yOf);
    }
    context.restore();
  });
}

/** Gives a block of a level, or what is known of it. @typedef {(level: number, block: number) => import("../data/lines.js").Stretch | undefined} Read */
/** @typedef {{read: Read, from: number, to: number, gaps: Int32Array}} Span of which timesteps, both ends included, and before which some are missing */

/**
 * Read a line from the left to the right: a block is looked for once.
 * @param {Lines} lines
 * @param {Key} key
 * @param {number} example
 * @returns {Read}
 */
function reader(lines, key, example) {
  let known = { level: -1, block: -1 };
  /** @type {ReturnType<Read>} */
  let found;
  return (level, block) => {
    if (known.level === level && known.block === block) return found;
    known = { level, block };
    found = lines.best(key, example, level, block);
    return found;
  };
}

/**
 * A line through each timestep; where one is missing, there is a gap.
 * @param {CanvasRenderingContext2D} context
 * @param {Span} span
 * @param {(timestep: number) => number} at where a timestep of the layer is in the series
 * @param {(timestep: number) => number} x
 * @param {(value: number) => number} y
 */
function drawPoints(context, { read, from, to, gaps }, at, x, y) {
  context.beginPath();
  let before = false;
  const last = at(to);
  for (let t = Math.max(0, from - 1); t <= to + 1; t++) {
    const place = t > to ? last + 1 : at(t);
    const block = read(0, Math.floor(place / TILE));
    // One level up, there are several timesteps to a value.
    const value = block?.size === 1 ? block.low[place - block.first] : undefined;
    const known = value !== undefined && !Number.isNaN(value);
    before &&= placeOf(gaps, t) < 0;
    if (known && before) context.lineTo(x(t), y(value));
    else if (known) {
      context.moveTo(x(t), y(value));
      // One between two gaps is seen, too.
      context.lineTo(x(t) + THICK, y(value));
    }
    before = known;
  }
  context.stroke();
}

/**
 * Each pixel from the lowest to the highest value under it.
 * @param {CanvasRenderingContext2D} context
 * @param {Span} span
 * @param {(timestep: number) => number} at where a timestep of the layer is in the series
 * @param {(timestep: number) => number} x
 * @param {number} width of a column, less than a pixel
 * @param {(value: number) => number} y
 */
function drawPooled(context, { read, from, to }, at, x, width, y) {
  /** @type {[number, number] | undefined} */
  let before;
  for (let t = from; t <= to; ) {
    const pixel = Math.floor(x(t));
    const next = Math.max(t + 1, Math.min(to + 1, t + Math.ceil((pixel + 1 - x(t)) / width)));
    const found = lowestAndHighest(read, at(t), at(next - 1) + 1);
    if (found) {
      // Up to where the pixel before ended, so that the line holds together.
      const low = before ? Math.min(found[0], before[1]) : found[0];
      const high = before ? Math.max(found[1], before[0]) : found[1];
      const top = y(high);
      context.fillRect(pixel, top - THICK / 2, 1, y(low) - top + THICK);
    }
    before = found;
    t = next;
  }
}

/**
 * @param {Read} read
 * @param {number} start
 * @param {number} stop
 * @returns {[number, number] | undefined} undefined if all of it is missing, or on its way
 */
function lowestAndHighest(read, start, stop) {
  let level = 0;
  while (POOLED ** (level + 1) <= stop - start) level++;
  const size = POOLED ** level;
  let [low, high] = [Infinity, -Infinity];
  for (let run = Math.floor(start / size); run * size < stop; run++) {
    const found = read(level, Math.floor(run / TILE));
    if (!found) continue;
    const at = Math.floor((run * size - found.first) / found.size);
    if (found.low[at] < low) low = found.low[at];
    if (found.high[at] > high) high = found.high[at];
  }
  return low <= high ? [low, high] : undefined;
}

/**
 * The name of a channel, and the ends of its range with the unit; where that is too long, the unit stands
 * behind the name. Numbers are never cut.
 * @param {CanvasRenderingContext2D} context
 * @param {{name: string, unit: string, colour: string, theme: import("../colour/theme.js").Theme}} what
 * @param {{gutter: number, y: number, pitch: number, range: [number, number]}} place
 */
function drawNames(context, { name, unit, colour, theme }, { gutter, y, pitch, range }) {
  const right = gutter - 7;
  const room = right - 3;
  const most = room / CLOSER;
  const [large, small] = [`600 11px ${theme.font}`, `9px ${theme.font}`];
  const measure = (/** @type {string} */ text, /** @type {string} */ font) => {
    context.font = font;
    return context.measureText(text).width;
  };
  const fitting = (
    /** @type {string} */ text,
    /** @type {number} */ space,
    /** @type {string} */ font,
  ) => cut(text, space, (part) => measure(part, font));
  const title = fitting(inLine(name), most, large);
  const numbers = rangeText(range);
  const bare = inLine(unit);
  const below = pitch >= ROOM_FOR_RANGE;
  let [behind, told] = ["", below ? `${numbers} ${bare}`.trim() : ""];
  if (measure(told, small) > most) {
    if (measure(title, large) + measure(` ${bare}`, small) <= most) {
      [behind, told] = [` ${bare}`, numbers];
    } else {
      told = `${numbers} ${fitting(bare, most - measure(`${numbers} `, small), small)}`;
    }
  }
  context.textAlign = "right";
  context.textBaseline = "middle";
  const [first, second] = [measure(title, large), measure(behind, small)];
  const closer = Math.min(1, room / (first + second));
  const middle = y + pitch / 2;
  const above = middle - (below ? 5.5 : 0);
  context.font = large;
  context.fillStyle = colour;
  context.fillText(title, right - closer * second, above, closer * first);
  context.font = small;
  context.fillStyle = theme.colour.muted;
  if (behind) context.fillText(behind, right, above, closer * second);
  if (told) context.fillText(told, right, middle + 6.5, room);
}

/** @param {[number, number]} range */
function rangeText(range) {
  if (!(range[0] <= range[1])) return "";
  const [low, high] = shortRange(...range);
  return low === high ? low : `${low} – ${high}`;
}
