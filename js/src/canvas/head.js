// What stands above columns: the labels of the examples, and the tokens or the times.

import { shownColumn, shownToken } from "../data/align.js";
import { clamp } from "../lib/clamp.js";
import { firstOf, inLine } from "../lib/tokens.js";
import { drawBands } from "./bands.js";
import { channelsOf, drawChannels, stripHeight } from "./channel_strip.js";
import { cut } from "./ruler.js";
import { drawTimeRuler } from "./time_ruler.js";

/** @typedef {import("../data/source.js").AnySource} AnySource */
/** @typedef {import("../layout/columns.js").Columns} Columns */

/** What stands at the left of columns: numbers and bars of cells, names of signals. */
export const GUTTER = 84;
const TOKENS = 20;
const LABELS = 18;
/** A track has a band, and a name beside it. */
const BAND = { height: 7, pitch: 10 };

/**
 * How high the head of a layer is: in all, what of it belongs to a column, and what chooses columns.
 * @param {import("../data/layer.js").Layer | undefined} layer
 * @param {unknown[]} tracks that are shown
 * @param {import("../data/lines.js").Lines | undefined} lines
 */
export function headOf(layer, tracks, lines) {
  const strip = stripHeight(channelsOf(layer, lines).length, lines?.beside.channels.length);
  const bands = strip + tracks.length * BAND.pitch;
  const tokens = TOKENS + bands;
  return {
    height: tokens + (layer && layer.examples > 1 ? LABELS : 0),
    column: layer?.tokens ? tokens - 1 : bands + 3,
    chooses: tokens - 1,
    bands,
    strip,
  };
}

/**
 * Draw them both.
 * @param {CanvasRenderingContext2D} context
 * @param {{source: AnySource, theme: import("../colour/theme.js").Theme, align: string, column: number, tracks: import("../data/tracks.js").Track[], span?: number[], lines: import("../data/lines.js").Lines | undefined}} scene the selected
 *   column, and the first of the span that is chosen and that after its last
 * @param {{columns: Columns, left: number, width: number, size: number}} place how far it is scrolled, the
 *   width of the whole, the size of the font
 */
export function drawHead(
  context,
  { source, theme, align, column: selected, tracks, span, lines },
  { columns, left, width, size },
) {
  const head = headOf(source.layer, tracks, lines);
  const header = head.height - head.bands;
  const { timesteps, examples, tokens } = source.layer;
  if (timesteps * examples === 0) return;
  const room = width - GUTTER;
  context.textBaseline = "middle";
  context.fillStyle = theme.colour.muted;
  context.font = `11px ${theme.font}`;
  context.textAlign = "right";
  if (examples > 1) context.fillText("example", GUTTER - 12, LABELS / 2 + 1);
  if (tokens) context.fillText("token", GUTTER - 12, header - TOKENS / 2);
  else {
    const place = { columns, gutter: GUTTER, left, width, top: header - TOKENS, bottom: header };
    drawTimeRuler(context, { source, theme, column: selected }, place);
  }
  const below = header + head.strip;
  if (lines && head.strip > 0) {
    const place = { columns, gutter: GUTTER, left, width, top: header };
    drawChannels(context, { layer: source.layer, lines, theme, column: selected }, place);
    context.textAlign = "right";
    context.fillStyle = theme.colour.muted;
  }
  context.font = `9px ${theme.font}`;
  const measure = (/** @type {string} */ text) => context.measureText(text).width;
  tracks.forEach(({ title }, row) => {
    const y = below + row * BAND.pitch + 5;
    context.fillText(cut(title, GUTTER - 16, measure), GUTTER - 12, y);
  });
  context.save();
  context.beginPath();
  context.rect(GUTTER, 0, room, head.height);
  context.clip();
  const places = tracks.length > 0 ? placesOf(source.layer, columns, { left, width, align }) : [];
  drawBands(context, { source, theme, tracks }, places, { y: below + 1, ...BAND });
  if (span) {
    const [x, end] = [columns.start(span[0]), columns.end(span[1] - 1)].map(
      (at) => GUTTER + at - left,
    );
    context.fillStyle = theme.colour.accent;
    context.fillRect(x, header - 2, end - x, 2);
    context.globalAlpha = 0.18;
    context.fillRect(x, header - TOKENS, end - x, TOKENS);
    context.globalAlpha = 1;
  }
  if (examples > 1) drawLabels(context, source, { theme, columns, left, room, selected });
  if (tokens && columns.width >= 7) {
    context.font = `${clamp(size + 1, 9, 13)}px ${theme.mono}`;
    context.textAlign = "center";
    const fits = Math.max(1, Math.floor(columns.width / (0.62 * Math.max(9, size))));
    for (let column = columns.nearest(left); column < examples * timesteps; column++) {
      const x = GUTTER + columns.start(column) - left;
      if (x > width) break;
      const token = shownToken(source, column, align);
      if (token === undefined) continue;
      context.fillStyle = column === selected ? theme.colour.fg : theme.colour.muted;
      const text = source.spelling.label(token);
      let shown = firstOf(text, fits);
      if (shown !== text && fits > 2) shown = `${firstOf(text, fits - 1)}…`;
      context.fillText(shown, x + columns.width / 2, header - TOKENS / 2);
      drawWord(context, source, { column, align, x, width: columns.width, y: header - 3 });
    }
  }
  context.restore();
}

/**
 * A line under the pieces of a word, where tokens are such.
 * @param {CanvasRenderingContext2D} context
 * @param {AnySource} source
 * @param {{column: number, align: string, x: number, width: number, y: number}} place
 */
function drawWord(context, source, { column, align, x, width, y }) {
  const { spelling, layer } = source;
  if (spelling.kind === "characters" || spelling.kind === "words") return;
  const [before, token, after] = [-1, 0, 1].map((step) => {
    const other = column + step;
    const same = Math.floor(other / layer.timesteps) === Math.floor(column / layer.timesteps);
    return same ? shownToken(source, other, align) : undefined;
  });
  if (token === undefined || spelling.text(token).trim() === "") return;
  const start = before === undefined || spelling.parted(before, token) ? 3 : 0;
  const end = after === undefined || spelling.parted(token, after) ? 3 : 0;
  context.fillRect(x + start, y, width - start - end, 1);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {AnySource} source
 * @param {{theme: import("../colour/theme.js").Theme, columns: Columns, left: number, room: number, selected: number}} place
 */
function drawLabels(context, source, { theme, columns, left, room, selected }) {
  const { timesteps, examples } = source.layer;
  // Where examples are narrow, every so many of them have a label.
  const every = 2 ** Math.max(0, Math.ceil(Math.log2(46 / columns.pitch)));
  const first = Math.floor(Math.floor(columns.nearest(left) / timesteps) / every) * every;
  context.textAlign = "left";
  context.font = `11px ${theme.font}`;
  const measure = (/** @type {string} */ text) => context.measureText(text).width;
  for (let example = first; example < examples; example += every) {
    const x = GUTTER + example * columns.pitch - left;
    if (x > GUTTER + room) break;
    const wide = columns.pitch * every - 6;
    const long = timesteps * columns.width > room;
    const at = long ? Math.max(GUTTER, x) : x;
    const chosen = Math.floor(selected / timesteps) === example;
    context.fillStyle = theme.colour.line;
    context.fillRect(x, 2, 1, LABELS - 2);
    context.fillStyle = chosen ? theme.colour.fg : theme.colour.muted;
    const label = source.label(example);
    const text = label === undefined ? String(example) : inLine(label);
    context.fillText(cut(text, wide - (at - x), measure), at + 4, LABELS / 2 + 1);
  }
}

/**
 * Where the columns in view stand, no less than a pixel each, and whose tokens they bear.
 * @param {import("../data/layer.js").Layer} layer
 * @param {Columns} columns
 * @param {{left: number, width: number, align: string}} view
 */
function placesOf(layer, columns, { left, width, align }) {
  /** @type {[number, number, number, number][]} */
  const places = [];
  const count = layer.timesteps * layer.examples;
  for (let column = columns.nearest(left), next = 0; column < count; column = next) {
    const x = Math.round(columns.start(column) - left);
    if (x > width) break;
    next = column + 1;
    while (next < count && columns.start(next) - left < x + 1) next++;
    const from = shownColumn(layer, column, align);
    const to = shownColumn(layer, next - 1, align) ?? next - 1;
    const right = Math.max(x + 1, Math.round(columns.end(next - 1) - left));
    places.push([GUTTER + x, GUTTER + right, from ?? column, from === undefined ? column : to + 1]);
  }
  return places;
}
