// Frames that are seen on every colour.

/**
 * An outline that is seen on every colour.
 * @param {CanvasRenderingContext2D} context
 * @param {import("../colour/theme.js").Theme} theme
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
