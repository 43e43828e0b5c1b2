// Concept tracks as bands under tokens.

import { coloursOf } from "../colour/tracks.js";
import { NONE } from "../data/tracks.js";

/** @typedef {import("../data/tracks.js").Track} Track */
/** @typedef {import("../colour/theme.js").Theme} Theme */

/**
 * Draw a band a track, one under the other.
 * @param {CanvasRenderingContext2D} context
 * @param {{source: import("../data/source.js").AnySource, theme: Theme, tracks: Track[]}} scene
 * @param {[left: number, right: number, from: number, to: number][]} places pixels, and the columns there
 * @param {{y: number, height: number, pitch: number}} rows
 */
export function drawBands(context, { source, theme, tracks }, places, { y, height, pitch }) {
  tracks.forEach((track, row) => {
    const colours = coloursOf(track, theme);
    for (const [left, right, from, to] of places) {
      const code = track.top(source, from, to);
      if (code === NONE) continue;
      context.fillStyle = colours[code];
      context.fillRect(left, y + row * pitch, right - left, height);
    }
  });
}
