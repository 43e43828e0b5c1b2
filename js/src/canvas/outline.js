// Frames that are seen on every colour: light and dark.

/** @typedef {import("../colour/theme.js").Theme} Theme */
/** @typedef {[x: number, y: number, width: number, height: number]} Box */

/**
 * A frame along the sides of a box.
 * @param {CanvasRenderingContext2D} context
 * @param {Theme} theme
 * @param {Box} box
 * @param {number} thick
 * @param {number} halo how wide it is with what sets it off
 */
export function outline(context, { colour }, [x, y, width, height], thick = 1.5, halo = 2 * thick) {
  context.lineWidth = halo;
  context.strokeStyle = colour.bg;
  context.strokeRect(x, y, width, height);
  context.lineWidth = thick;
  context.strokeStyle = colour.fg;
  context.strokeRect(x, y, width, height);
}

/**
 * A frame outside of a box, which leaves all of it free.
 * @param {CanvasRenderingContext2D} context
 * @param {Theme} theme
 * @param {Box} box
 * @param {number} thick
 */
export function outlineAround(context, { colour }, [x, y, width, height], thick) {
  for (const [line, out, paint] of /** @type {[number, number, string][]} */ ([
    [1, thick + 0.5, colour.bg],
    [thick, thick / 2, colour.fg],
  ])) {
    context.lineWidth = line;
    context.strokeStyle = paint;
    context.strokeRect(x - out, y - out, width + 2 * out, height + 2 * out);
  }
}
