// Where the bands of lines stand, and what is at their bottom and at their top.

import { symbolOf } from "../../data/changes.js";
import { cellName } from "../../data/layer.js";
import { clamp } from "../../lib/clamp.js";
import { inLine } from "../../lib/tokens.js";
import { number, shortRange, words } from "../../lib/wording.js";

/** @typedef {import("../../state/series.js").Subject} Subject */
/** @typedef {import("../../state/series.js").SeriesState} SeriesState */
/** @typedef {import("../../data/lines.js").Lines} Lines */

/** How high bands are: of what they show, and of all lines in one. */
const HEIGHTS = { channel: 46, output: 68, cell: 68, track: 40 };
/** Where there is little room, or much, bands have at least this share of their height, at most that. */
const [LOWEST, HIGHEST] = [0.65, 2.4];
const OVERLAID = 320;
const LEAST_EACH = 24;
const EXAMPLE = 46;
/** From one band to the next. */
const APART = 14;
/** Above the first and below the last. */
const EDGE = 10;

/**
 * One line, or several over one another.
 * @typedef {object} Drawn
 * @property {Subject} subject
 * @property {[number, number]} range the values at the bottom and at the top of its band
 * @property {boolean} known whether there are values in it that the range is of
 */
/**
 * @typedef {object} Band
 * @property {number} top
 * @property {number} height
 * @property {number} example
 * @property {string} title "" where lines have names of their own
 * @property {string} below what stands under the title, smaller
 * @property {Drawn[]} drawn
 */

/** Between which times. @typedef {{from: number, to: number}} Seen */

/**
 * A name of a line as it stands beside it.
 * @param {SeriesState} state
 * @param {Subject} subject
 */
export function titleOf(state, subject) {
  if (subject.kind !== "cell") return inLine(subject.name);
  return cellName(state.layer, subject.cell ?? 0);
}

/** What stands below it, smaller. @param {SeriesState} state @param {Subject} subject */
export function unitOf(state, subject) {
  if (subject.kind !== "cell") return inLine(subject.unit);
  const signal = state.model.get("signal");
  const symbol = symbolOf(signal, state.layer.kind);
  // There is room for one of both, and the menu tells the signal.
  if (state.difference) return `less ${inLine(state.difference)}`;
  return symbol ? `${words(signal)} ${symbol}` : words(signal);
}

/**
 * What a band reaches from and to.
 * @param {SeriesState} state
 * @param {Lines} lines
 * @param {Subject} subject
 * @param {number} example
 * @param {Seen | undefined} seen
 * @returns {Drawn}
 */
function drawn(state, lines, subject, example, seen) {
  let [low, high] = [Infinity, -Infinity];
  for (const key of subject.keys) {
    const extent = seen
      ? lines.extentBetween(key, example, seen.from, seen.to)
      : lines.extent(key, example);
    if (extent) [low, high] = [Math.min(low, extent[0]), Math.max(high, extent[1])];
  }
  const known = low <= high;
  if (!known) [low, high] = [0, 0];
  if (subject.yesNo) return { subject, known, range: [0, 1] };
  if (subject.kind === "cell") {
    const scale = state.model.get("scale");
    if (Array.isArray(scale)) return { subject, known, range: [scale[0], scale[1]] };
    const signal = state.model.get("signal");
    const gate = signal.endsWith("_gate") && !state.difference;
    if (gate && low >= 0 && high <= 1) return { subject, known, range: [0, 1] };
    if (scale === "layer") {
      const largest = lines.largest(state.layer.name, signal);
      if (largest) return { subject, known, range: [-largest, largest] };
    }
    const range = /** @type {[number, number]} */ ([Math.min(0, low), Math.max(0, high)]);
    return { subject, known, range: range[0] < range[1] ? range : [-1, 1] };
  }
  // What is never far from zero is seen from there.
  if (low > 0 && low < 0.4 * high) low = 0;
  if (high < 0 && high > 0.4 * low) high = 0;
  if (low === high) [low, high] = low === 0 ? [-1, 1] : [low - Math.abs(low), low + Math.abs(low)];
  return { subject, known, range: [low, high] };
}

/**
 * All bands, from top to bottom, and how high they are together.
 * @param {SeriesState} state
 * @param {Lines} lines
 * @param {number} room how high they should be; 0: as high as they are on their own
 * @param {Seen | undefined} seen what is seen of time, if bands reach to what is there only
 * @returns {{bands: Band[], height: number}}
 */
export function bandsOf(state, lines, room, seen) {
  const { model, layer } = state;
  const example = model.get("example");
  const arrange = model.get("arrange");
  const { subjects } = state;
  /** @type {Band[]} */
  const bands = [];
  const add = (/** @type {Omit<Band, "top">} */ band) => bands.push({ top: 0, ...band });
  if (arrange === "overlaid") {
    const height = Math.max(OVERLAID, subjects.length * LEAST_EACH);
    const all = subjects.map((subject) => drawn(state, lines, subject, example, seen));
    if (all.length) add({ height, example, title: "", below: "", drawn: all });
  } else if (arrange === "examples") {
    const { subject } = state;
    for (let other = 0; subject && other < layer.examples; other++) {
      const label = lines.label(other);
      add({
        height: EXAMPLE,
        example: other,
        title: label === undefined ? `example ${other}` : inLine(label),
        below: unitOf(state, subject),
        // Only of what is in view, see `measure`.
        drawn: [{ subject, known: false, range: [0, 1] }],
      });
    }
  } else {
    for (const subject of subjects) {
      add({
        height: HEIGHTS[subject.kind],
        example,
        title: titleOf(state, subject),
        below: unitOf(state, subject),
        drawn: [drawn(state, lines, subject, example, seen)],
      });
    }
  }
  const natural = bands.reduce((sum, band) => sum + band.height, 0);
  const around = 2 * EDGE + APART * (bands.length - 1);
  const share = room ? clamp((room - around) / natural, LOWEST, HIGHEST) : 1;
  let top = EDGE;
  for (const band of bands) {
    band.top = top;
    band.height = Math.floor(band.height * share);
    top += band.height + APART;
  }
  return { bands, height: top - APART + EDGE };
}

/**
 * Find what a band of an example reaches to, once it is in view.
 * @param {SeriesState} state
 * @param {Lines} lines
 * @param {Band} band
 * @param {Seen | undefined} seen
 */
export function measure(state, lines, band, seen) {
  if (state.model.get("arrange") !== "examples") return;
  band.drawn = band.drawn.map(({ subject }) => drawn(state, lines, subject, band.example, seen));
}

/** The ends of a range as they are written: short, with a minus where there is one. @param {[number, number]} range */
export function endsOf(range) {
  const [low, high] = shortRange(...range, range[0] < 0);
  return { low, high };
}

/** What stands in the place of a line, or a value, that a saved page goes without. */
export const ABSENT = "not in this page";

/** Whether a saved page goes without some of a line. @param {Lines} lines @param {Subject} subject @param {number} example */
export function absent(lines, { keys }, example) {
  return keys.some((key) => lines.absent(key, example));
}

/** By which keyword a line is shown. */
const KEYWORDS = {
  cell: "cells=",
  channel: "channels=",
  output: "outputs=",
  track: "hidden_tracks=",
};

/**
 * Which of the lines a saved page goes without, and how it can have them; empty if there are none.
 * @param {SeriesState} state
 * @param {Lines} lines
 */
export function absence(state, lines) {
  if (!lines.only) return "";
  const { model, subjects, subject } = state;
  const every = model.get("arrange") === "examples";
  const shown = every ? (subject ? [subject] : []) : subjects;
  const example = model.get("example");
  const told = "This page holds the lines that were shown when it was saved";
  const again = "in the notebook, and save it again";
  const [first, stop] = lines.examples;
  if (example < first || example >= stop) {
    return `${told}: example ${example} is not among them. Choose it (example=) ${again}.`;
  }
  const missing = shown.filter((one) => absent(lines, one, example));
  if (missing.length === 0) return "";
  const names = missing.map((one) => titleOf(state, one)).join(", ");
  const keywords = [...new Set(missing.map(({ kind }) => KEYWORDS[kind]))].join(", ");
  const one = missing.length === 1;
  return `${told}: ${names} ${one ? "is" : "are"} not among them. Show ${one ? "it" : "them"} (${keywords}) ${again}.`;
}

/**
 * The value of a line at a time, or the last before it; null while it is on its way, undefined if it has none.
 * @param {import("../../data/lines.js").Lines} lines
 * @param {import("../../data/lines.js").Key} key
 * @param {number} example
 * @param {number} time
 */
export function valueAt(lines, key, example, time) {
  const axis = lines.axis(key[2], example);
  if (axis.count === 0 || time < axis.first) return undefined;
  if (lines.absent(key, example)) return ABSENT;
  return lines.value(key, example, axis.before(time)) ?? null;
}

/**
 * A value of a line as it is read.
 * @param {Subject} subject
 * @param {import("../../data/lines.js").Key} key
 * @param {number | typeof ABSENT | null | undefined} value null while it is on its way, undefined if there is none
 * @param {boolean} [rounded] whether the page has codes in place of cells' values
 */
export function written({ yesNo }, [kind], value, rounded) {
  if (value === undefined) return undefined;
  if (value === null) return "…";
  if (value === ABSENT) return ABSENT;
  if (kind === "cell" && rounded) return `≈ ${number(value)}`;
  return yesNo && kind === "track" && !Number.isNaN(value) ? (value ? "yes" : "no") : number(value);
}
