// The colours of concept tracks.

import { css, mix, parse } from "./palettes.js";

/** @typedef {import("../data/tracks.js").Track} Track */
/** @typedef {import("./theme.js").Theme} Theme */

/**
 * In turn, on a light page and on a dark one. Not those of a default palette of signals; they stay apart
 * for every kind of colour vision. Which track is which, their order tells, too.
 */
const HUES = ["008f70 7a1f78 8f7a00", "35c9a5 e58fe0 e6d25a"].map((hues) =>
  hues.split(" ").map(parse),
);
/** How much of its colour "no" has, and the least of numbers: there is a track all the same. */
const NO = 0.1;
const LEAST = 0.22;

/** @type {WeakMap<Track, {theme: Theme, colours: string[]}>} */
const made = new WeakMap();

/**
 * What the codes of a track are drawn in.
 * @param {Track} track
 * @param {Theme} theme
 */
export function coloursOf(track, theme) {
  const known = made.get(track);
  if (known?.theme === theme) return known.colours;
  const hues = HUES[theme.dark ? 1 : 0];
  const hue = hues[track.index % hues.length];
  const least = track.values ? LEAST : NO;
  const colours = Array.from({ length: track.values?.length ?? 2 }, (_, code) =>
    css(mix(theme.background, hue, least + (1 - least) * track.share(code))),
  );
  made.set(track, { theme, colours });
  return colours;
}
