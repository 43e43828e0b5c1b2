// The ruler above columns that bear no tokens: ticks that suit the zoom, and the time that is selected; where no
// times are known, timesteps.

import { Times } from "../data/times.js";
import { clamp } from "../lib/clamp.js";
import { placeFrom } from "../lib/sorted.js";
import { CLOSER, cut } from "./ruler.js";

/** Pixels that a tick has, about. */
const PER_TICK = 84;
/** Between two texts. */
const APART = 8;
const MARK = 4;
/** A narrower gutter has no room for what ticks leave unsaid. */
const NAMED = 60;

/**
 * @param {CanvasRenderingContext2D} context
 * @param {{source: import("../data/source.js").AnySource, theme: import("../colour/theme.js").Theme, column: number}} scene
 *   the selected column
 * @param {{columns: import("../layout/columns.js").Columns, gutter: number, left: number, width: number, top: number, bottom: number}} place
 *   what stands at the left of columns, how far these are scrolled, the width of all; the edges of the ruler
 */
export function drawTimeRuler(
  context,
  { source, theme, column: selected },
  { columns, gutter, left, width, top, bottom },
) {
  const { layer } = source;
  const { timesteps } = layer;
  const [first, last] = columns.between(left, left + width - gutter);
  const middle = (top + bottom - MARK) / 2;
  /** @type {string | undefined} */
  let told;
  context.save();
  context.beginPath();
  context.rect(gutter, top, width - gutter, bottom - top);
  context.clip();
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (let start = first; start <= last; ) {
    const example = Math.floor(start / timesteps);
    const begin = example * timesteps;
    const stop = Math.min(last, begin + timesteps - 1);
    const times = layer.times ? source.times(example) : Times.counted(timesteps);
    if (times) {
      const x = (/** @type {number} */ timestep) =>
        gutter + columns.start(begin + timestep) - left + columns.width / 2;
      const [from, to] = [x(start - begin), x(stop - begin)];
      // A column at an edge may be seen in part.
      const edges = { from: Math.max(gutter, from), to: Math.min(width, to) };
      const count = Math.floor((to - from) / PER_TICK);
      const ticks = count > 0 ? times.ticks(start - begin, stop - begin, count) : [];
      if (ticks.length > 0)
        told ??= unsaid(times.clock.context(times.at(start - begin), ticks), ticks);
      const here = selected >= start && selected <= stop ? selected - begin : undefined;
      const ends = { left: gutter, right: width };
      drawTicks(context, { times, ticks, here, theme }, { x, ...edges, ...ends, middle, bottom });
      const seen = times.gaps.subarray(placeFrom(times.gaps, start - begin + 1));
      for (const gap of seen.subarray(0, placeFrom(seen, stop - begin + 1)))
        drawGap(context, x(gap) - columns.width / 2, bottom, theme);
    }
    start = stop + 1;
  }
  context.restore();
  if (gutter < NAMED) return;
  context.textAlign = "right";
  context.textBaseline = "middle";
  context.font = `11px ${theme.font}`;
  context.fillStyle = theme.colour.muted;
  const measure = (/** @type {string} */ text) => context.measureText(text).width;
  const text = told || (layer.times ? (source.clock?.name ?? "") : "timestep");
  context.fillText(cut(text, (gutter - 16) / CLOSER, measure), gutter - 12, middle, gutter - 16);
}

/**
 * Of what ticks leave unsaid, what the first of them doesn't say: of "28 Oct 2003" above "28 Oct", "2003".
 * @param {string} told
 * @param {import("../data/times.js").Tick[]} ticks
 */
function unsaid(told, [{ text }]) {
  if (told === text) return "";
  return told.startsWith(`${text} `) ? told.slice(text.length + 1) : told;
}

/**
 * Two strokes where timesteps are missing: columns stand side by side that aren't so in time.
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} bottom
 * @param {import("../colour/theme.js").Theme} theme
 */
function drawGap(context, x, bottom, theme) {
  context.strokeStyle = theme.colour.fg;
  context.lineWidth = 1;
  context.beginPath();
  for (const side of [-1.5, 1.5]) {
    context.moveTo(x + side - 2, bottom);
    context.lineTo(x + side + 2, bottom - 2 * MARK);
  }
  context.stroke();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {{times: import("../data/times.js").Times, ticks: ReturnType<import("../data/times.js").Times["ticks"]>, here: number | undefined, theme: import("../colour/theme.js").Theme}} what
 *   the ticks of an example, and its timestep that is selected
 * @param {{x: (timestep: number) => number, from: number, to: number, left: number, right: number, middle: number, bottom: number}} place
 *   between where the timesteps stand, and between what texts stand if that is too little
 */
function drawTicks(
  context,
  { times, ticks, here, theme },
  { x, from, to, left, right, middle, bottom },
) {
  /** @type {[number, number][]} */
  const taken = [];
  const put = (
    /** @type {string} */ text,
    /** @type {number} */ at,
    /** @type {boolean} */ bold,
    /** @type {string} */ colour,
  ) => {
    context.font = `${bold ? "bold " : ""}11px ${theme.font}`;
    const half = context.measureText(text).width / 2;
    const [least, most] = from + 2 * half < to ? [from, to] : [left, right];
    const centre = clamp(at, least + half, most - half);
    const [start, end] = [centre - half - APART, centre + half + APART];
    if (taken.some(([a, b]) => start < b && end > a)) return false;
    taken.push([centre - half, centre + half]);
    context.fillStyle = colour;
    context.fillText(text, centre, middle);
    return true;
  };
  const { fg, muted, line } = theme.colour;
  if (here !== undefined) put(times.label(here), x(here), true, fg);
  for (const major of [true, false]) {
    for (const tick of ticks) {
      if (tick.major !== major) continue;
      const written = put(tick.text, x(tick.timestep), false, major ? fg : muted);
      context.fillStyle = written ? muted : line;
      context.fillRect(Math.round(x(tick.timestep)), bottom - MARK, 1, MARK);
    }
  }
  if (here === undefined) return;
  context.fillStyle = fg;
  context.fillRect(Math.round(x(here)) - 1, bottom - MARK, 2, MARK);
}
