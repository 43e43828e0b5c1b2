// Slanted lines over what is no plain value.

/** How far apart they are. */
const PERIOD = 6;

/**
 * @param {CanvasRenderingContext2D} context which clips them
 * @param {number} x
 * @param {number} y
 * @param {number} width
 * @param {number} height
 * @param {boolean} [up] whether they go up to the right
 */
export function slants(context, x, y, width, height, up = false) {
  context.beginPath();
  for (let at = -height; at < width; at += PERIOD) {
    context.moveTo(x + at, up ? y + height : y);
    context.lineTo(x + at + height, up ? y : y + height);
  }
  context.stroke();
}
