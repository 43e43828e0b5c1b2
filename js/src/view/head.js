// What stands above columns: the labels of the examples, and the tokens.

import { shownToken } from "../core/align.js";
import { firstOf, visible } from "../core/tokens.js";

/** @typedef {import("../core/source.js").WholeSource | import("../core/source.js").KernelSource} AnySource */
/** @typedef {import("../core/layout.js").Columns} Columns */

/** What stands at the left of columns: numbers and bars of cells, names of signals. */
export const GUTTER = 84;
const TOKENS = 20;
const LABELS = 18;

/**
 * How high the head of a layer is: in all, and the tokens' part.
 * @param {import("../core/model.js").Layer | undefined} layer
 */
export function headOf(layer) {
  const tokens = layer?.tokens ? TOKENS : 6;
  return { tokens, height: tokens + (layer && layer.examples > 1 ? LABELS : 0) };
}

/**
 * Draw them both.
 * @param {CanvasRenderingContext2D} context
 * @param {{source: AnySource, theme: import("./theme.js").Theme, align: string, column: number}} scene the selected column
 * @param {{columns: Columns, left: number, width: number, size: number}} place how far it is scrolled, the
 *   width of the whole, the size of the font
 */
export function drawHead(
  context,
  { source, theme, align, column: selected },
  { columns, left, width, size },
) {
  const { height: header } = headOf(source.layer);
  const { timesteps, examples, tokens } = source.layer;
  if (timesteps * examples === 0) return;
  const room = width - GUTTER;
  context.textBaseline = "middle";
  context.fillStyle = theme.colour.muted;
  context.font = `11px ${theme.font}`;
  context.textAlign = "right";
  if (examples > 1) context.fillText("example", GUTTER - 12, LABELS / 2 + 1);
  if (tokens) context.fillText("token", GUTTER - 12, header - TOKENS / 2);
  context.save();
  context.beginPath();
  context.rect(GUTTER, 0, room, header);
  context.clip();
  if (examples > 1) drawLabels(context, source, { theme, columns, left, room, selected });
  if (tokens && columns.width >= 7) {
    context.font = `${Math.max(9, Math.min(13, size + 1))}px ${theme.mono}`;
    context.textAlign = "center";
    const fits = Math.max(1, Math.floor(columns.width / (0.62 * Math.max(9, size))));
    for (let column = columns.nearest(left); column < examples * timesteps; column++) {
      const x = GUTTER + columns.start(column) - left;
      if (x > width) break;
      const token = shownToken(source, column, align);
      if (token === undefined) continue;
      context.fillStyle = column === selected ? theme.colour.fg : theme.colour.muted;
      const text = visible(token);
      let cut = firstOf(text, fits);
      if (cut !== text && fits > 2) cut = `${firstOf(text, fits - 1)}…`;
      context.fillText(cut, x + columns.width / 2, header - TOKENS / 2);
    }
  }
  context.restore();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {AnySource} source
 * @param {{theme: import("./theme.js").Theme, columns: Columns, left: number, room: number, selected: number}} place
 */
function drawLabels(context, source, { theme, columns, left, room, selected }) {
  const { timesteps, examples } = source.layer;
  // Where examples are narrow, every so many of them have a label.
  const every = 2 ** Math.max(0, Math.ceil(Math.log2(46 / columns.pitch)));
  const first = Math.floor(Math.floor(columns.nearest(left) / timesteps) / every) * every;
  context.textAlign = "left";
  context.font = `11px ${theme.font}`;
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
    let text =
      label === undefined
        ? String(example)
        : [...label].map((c) => (c === " " ? c : visible(c))).join("");
    while (text.length > 1 && context.measureText(text).width > wide - (at - x)) {
      text = text.length > 2 ? `${text.slice(0, -2)}…` : text.slice(0, 1);
    }
    context.fillText(text, at + 4, LABELS / 2 + 1);
  }
}

/**
 * An outline that is seen on every colour.
 * @param {CanvasRenderingContext2D} context
 * @param {import("./theme.js").Theme} theme
 * @param {number} x
 * @param {number} y
 * @param {number} width
 * @param {number} height
 */
export function outline(context, theme, x, y, width, height) {
  context.lineWidth = 3;
  context.strokeStyle = theme.colour.bg;
  context.strokeRect(x, y, width, height);
  context.lineWidth = 1.5;
  context.strokeStyle = theme.colour.fg;
  context.strokeRect(x, y, width, height);
}
