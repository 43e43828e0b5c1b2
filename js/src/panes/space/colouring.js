// What the colours of points stand for.

import { lineColour } from "../../colour/lines.js";
import { luminance, mix, parse, RAMP, ramp } from "../../colour/palettes.js";
import { coloursOf } from "../../colour/tracks.js";
import { NO_CLASS } from "../../data/points.js";
import { NONE } from "../../data/tracks.js";
import { inLine, quoted } from "../../lib/tokens.js";
import { short } from "../../lib/wording.js";

/** @typedef {import("../../data/points.js").Points} Points */
/** @typedef {import("../../data/points.js").Classes} Classes */
/** @typedef {import("../../colour/theme.js").Theme} Theme */
/** @typedef {import("../../state/space.js").SpaceState} SpaceState */
/**
 * @typedef {object} Colouring
 * @property {Uint32Array} pixels the colour of each point
 * @property {{text: string, colour: number, count: number}[]} names what stands for what
 * @property {{ramp: Uint32Array, low: string, middle: string, high: string, unit: string}} [scale] where
 *   colours are of numbers
 */

/** Of numbers that have no sign. */
const PLAIN = "cividis";
/** How much of their colour points of no class have, and those of which something isn't so. */
const OTHERS = 0.5;
const NOT = 0.45;
/** The least contrast of a point to its paper, and how much of the ink is mixed into it for that. */
const SEEN = 1.5;
const INKED = [0, 0.12, 0.24, 0.36, 0.48];

/** What points may be coloured by. @param {SpaceState} state @returns {[value: string, text: string][]} */
export function colourings(state) {
  const { layer, points, everyTrack, model } = state;
  /** @type {[string, string][]} */
  const found = everyTrack.map(({ name, title }) => [name, title]);
  const add = (/** @type {string} */ name) => {
    if (!found.some(([known]) => known === name)) found.push([name, inLine(name)]);
  };
  if (layer.tokens) add("token");
  if (layer.labels) add("label");
  if (layer.examples > 1) add("example");
  add("timestep");
  add("value");
  for (const name of Object.keys(seriesOf(model, points))) add(name);
  return found;
}

/**
 * Channels, outputs and targets by the names that points may be coloured by.
 * @param {import("../../host/model.js").Model} model
 * @param {Points | undefined} points
 * @returns {Record<string, [string, number]>}
 */
export function seriesOf(model, points) {
  const { channels = [], outputs = [] } = model.get("_beside") ?? {};
  /** @type {Record<string, [string, number]>} */
  const named = {};
  channels.forEach((/** @type {{name: string}} */ { name }, /** @type {number} */ i) => {
    named[`channel ${name}`] = ["channel", i];
  });
  for (const { name, output, target } of outputs) {
    if (output !== null) named[`output ${name}`] = ["output", output];
    if (target !== null) named[`target ${name}`] = ["target", target];
  }
  const known = new Set((points?.sent.series ?? []).map((key) => JSON.stringify(key)));
  return Object.fromEntries(
    Object.entries(named).filter(([, key]) => known.has(JSON.stringify(key))),
  );
}

/**
 * The colours of all points; undefined while what they stand for is on its way.
 * @param {import("./frame.js").SpaceFrame} frame
 * @param {Points} points
 * @param {Uint32Array} columns
 * @returns {Colouring | undefined}
 */
export function colouring(frame, points, columns) {
  const { state, theme, source } = frame;
  const { model, layer } = state;
  const wanted = model.get("coloured_by");
  const track = state.everyTrack.find(({ name }) => name === wanted);
  if (track) return byTrack(track, columns, theme);
  const series = seriesOf(model, points)[wanted];
  if (series) {
    const numbers = points.series(series);
    return numbers && byNumber(numbers.codes, numbers, inLine(wanted), theme);
  }
  if (wanted === "token" && layer.tokens) {
    const classes = points.classes("tokens");
    if (!classes) return undefined;
    const next = model.get("align") === "predict";
    return byClass(next ? following(classes, columns, layer.timesteps) : classes, quoted, theme);
  }
  if (wanted === "label" && layer.labels) {
    const classes = points.classes("labels");
    return classes && byClass(classes, inLine, theme);
  }
  if (wanted === "value") {
    const { colours } = frame;
    const cell = model.get("cell");
    const codes = source && colours && points.values(source, cell);
    if (!codes || !colours) return undefined;
    const row = colours.row(cell).map((colour) => readable(colour, theme));
    return { pixels: looked(codes, row), names: [] };
  }
  const { timesteps, examples } = layer;
  const times = source?.times(0);
  const example = wanted === "example";
  const most = example ? examples - 1 : timesteps - 1;
  const colours = ramp(PLAIN);
  const step = most > 0 ? (RAMP - 1) / most : 0;
  const pixels = new Uint32Array(columns.length);
  for (let i = 0; i < columns.length; i++) {
    const at = example ? Math.floor(columns[i] / timesteps) : columns[i] % timesteps;
    pixels[i] = colours[Math.round(at * step)];
  }
  const label = (/** @type {number} */ at) =>
    !example && times && layer.times?.shared ? times.label(at) : String(at);
  const scale = {
    ramp: colours,
    low: label(0),
    middle: label(Math.round(most / 2)),
    high: label(most),
    unit: example ? "example" : "timestep",
  };
  return { pixels, names: [], scale };
}

/**
 * A colour that is seen on the paper: the middle of a palette may be as pale, or as dark, as that.
 * @param {number} colour
 * @param {Theme} theme
 */
function readable(colour, { background, foreground }) {
  const paper = luminance(background) + 0.05;
  const contrast = (/** @type {number} */ of) => {
    const light = luminance(of) + 0.05;
    return Math.max(light, paper) / Math.min(light, paper);
  };
  const inked = INKED.map((share) => mix(colour, foreground, share));
  return inked.find((each) => contrast(each) >= SEEN) ?? colour;
}

/**
 * The colours of codes. A plain loop: a callback for each of a million takes longer than a frame.
 * @param {Uint8Array} codes
 * @param {Uint32Array} table
 */
function looked(codes, table) {
  const pixels = new Uint32Array(codes.length);
  for (let i = 0; i < codes.length; i++) pixels[i] = table[codes[i]];
  return pixels;
}

/**
 * Of each point the token that comes next.
 * @param {Classes} classes
 * @param {Uint32Array} columns
 * @param {number} timesteps
 * @returns {Classes}
 */
function following({ names, codes }, columns, timesteps) {
  const counts = names.map(() => 0);
  const next = codes.map((_, i) => {
    const follows = columns[i + 1] === columns[i] + 1 && columns[i + 1] % timesteps !== 0;
    const code = follows ? codes[i + 1] : NO_CLASS;
    if (code !== NO_CLASS) counts[code]++;
    return code;
  });
  return { names, counts, codes: next };
}

/**
 * @param {Classes} classes
 * @param {(name: string) => string} say
 * @param {Theme} theme
 * @returns {Colouring}
 */
function byClass({ names, counts, codes }, say, theme) {
  const hues = names.map((_, i) => lineColour("channel", i, theme));
  const others = mix(theme.background, parsed(theme.colour.muted), OTHERS);
  const table = new Uint32Array(256).fill(others);
  table.set(hues);
  const named = names.map((name, i) => ({ text: say(name), colour: hues[i], count: counts[i] }));
  const left = codes.length - counts.reduce((sum, count) => sum + count, 0);
  if (left > 0) named.push({ text: "others", colour: others, count: left });
  return { pixels: looked(codes, table), names: named };
}

/**
 * @param {import("../../data/tracks.js").Track} track
 * @param {Uint32Array} columns
 * @param {Theme} theme
 * @returns {Colouring}
 */
function byTrack(track, columns, theme) {
  const table = coloursOf(track, theme).map(parsed);
  if (!track.values) {
    const no = mix(theme.background, parsed(theme.colour.muted), NOT);
    let yes = 0;
    const pixels = new Uint32Array(columns.length);
    for (let i = 0; i < columns.length; i++) {
      const code = track.code(columns[i]);
      yes += code;
      pixels[i] = code ? table[1] : no;
    }
    return {
      pixels,
      names: [
        { text: `${track.title}: yes`, colour: table[1], count: yes },
        { text: "no", colour: no, count: columns.length - yes },
      ],
    };
  }
  const none = mix(theme.background, theme.foreground, 0.15);
  const pixels = new Uint32Array(columns.length);
  for (let i = 0; i < columns.length; i++) {
    const code = track.code(columns[i]);
    pixels[i] = code === NONE ? none : table[code];
  }
  const { values } = track;
  const scale = values.length > 0 && {
    ramp: Uint32Array.from(table),
    ...ends(values[0], values[values.length - 1]),
    unit: track.title,
  };
  return { pixels, names: [], ...(scale ? { scale } : {}) };
}

/**
 * @param {Uint8Array} codes
 * @param {{low: number, high: number}} range
 * @param {string} unit
 * @param {Theme} theme
 * @returns {Colouring}
 */
function byNumber(codes, { low, high }, unit, theme) {
  const colours = ramp(PLAIN);
  const none = mix(theme.background, theme.foreground, 0.3);
  const table = Uint32Array.from({ length: 256 }, (_, code) =>
    code === NO_CLASS ? none : colours[Math.round((code / (NO_CLASS - 1)) * (RAMP - 1))],
  );
  return {
    pixels: looked(codes, table),
    names: [],
    scale: { ramp: colours, ...ends(low, high), unit },
  };
}

/** @param {number} low @param {number} high */
function ends(low, high) {
  return { low: short(low), middle: short((low + high) / 2), high: short(high) };
}

const DIGITS = /[\d.]+/g;

/** A pixel of a colour as style sheets have it: "#1a2b3c" or "rgb(26 43 60)". @param {string} colour */
function parsed(colour) {
  const hex = /^#([\da-f]{6})$/i.exec(colour.trim());
  if (hex) return parse(hex[1]);
  const [r, g, b] = (colour.match(DIGITS) ?? ["0", "0", "0"]).map(Number);
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
}
