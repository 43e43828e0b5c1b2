// The colours of lines: they stay apart for every kind of colour vision, and names can be read in them.

import { css, parse } from "./palettes.js";

/** Of channels in turn, on a light page and on a dark one. */
const CHANNELS = [
  "0b62c4 b4490f 7a5c00 6b4fc8 4d5866 a3286b",
  "6cb0ff ff9d66 e0c250 b9a2f0 b6c0cc f58ac0",
].map((hues) => hues.split(" ").map(parse));
/** Of concepts: the same as of their bands (tracks.js). */
const TRACKS = ["007a60 7a1f78 7a6800", "35c9a5 e58fe0 e6d25a"].map((hues) =>
  hues.split(" ").map(parse),
);

/**
 * The colour of a line, as a pixel.
 * @param {"channel" | "output" | "cell" | "track"} kind
 * @param {number} index which of its kind
 * @param {import("./theme.js").Theme} theme
 */
export function lineColour(kind, index, theme) {
  const hues = { channel: CHANNELS, track: TRACKS }[/** @type {string} */ (kind)];
  if (!hues) return theme.foreground;
  const all = hues[theme.dark ? 1 : 0];
  return all[index % all.length];
}

/** @param {Parameters<typeof lineColour>} of */
export const lineCss = (...of) => css(lineColour(...of));
