// Concept tracks as bands under tokens, and the row that names them, shows them and hides them.

import { css, mix, parse } from "../colour/palettes.js";
import { NONE } from "../data/tracks.js";
import { element, tick } from "../lib/dom.js";

/** @typedef {import("../data/tracks.js").Track} Track */
/** @typedef {import("../colour/theme.js").Theme} Theme */

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

/**
 * Draw a band a track, one under the other.
 * @param {CanvasRenderingContext2D} context
 * @param {{source: import("../ui/frame.js").AnySource, theme: Theme, tracks: Track[]}} scene
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

/** The tracks by name, each with a box to tick. */
export class TrackRow {
  #key = /** @type {unknown[]} */ ([]);
  /** @type {ReturnType<typeof tick>[]} */
  #ticks = [];

  /** @param {import("../state/recording.js").State} state */
  constructor(state) {
    this.state = state;
    this.root = element("div", { class: "lw-tracks", role: "group", "aria-label": "tracks" });
  }

  /** @param {Theme} theme */
  update(theme) {
    const { everyTrack: tracks, model } = this.state;
    const hidden = /** @type {string[]} */ (model.get("hidden_tracks") ?? []);
    this.root.hidden = tracks.length === 0;
    if (this.#key[0] !== tracks || this.#key[1] !== theme) {
      this.#key = [tracks, theme];
      this.#ticks = tracks.map((track) => this.#tick(track, theme));
      this.root.replaceChildren("tracks", ...this.#ticks.map(({ root }) => root));
    }
    tracks.forEach(({ name }, i) => {
      this.#ticks[i].update(!hidden.includes(name));
    });
  }

  /**
   * @param {Track} track
   * @param {Theme} theme
   */
  #tick(track, theme) {
    const { name, title, range } = track;
    const hide = (/** @type {boolean} */ shown) => {
      const others = this.state.model
        .get("hidden_tracks")
        .filter((/** @type {string} */ n) => n !== name);
      this.state.set({ hidden_tracks: shown ? others : [...others, name] }, this);
    };
    const made = tick(title, hide, `Show ${title} as a band under the tokens.`);
    const colours = coloursOf(track, theme);
    const swatch = element("i");
    swatch.style.background = `linear-gradient(to right, ${colours[0]}, ${colours.at(-1)})`;
    if (!range) swatch.style.background = colours[1];
    made.root.firstChild?.after(swatch);
    if (range) made.root.append(element("span", {}, [range]));
    return made;
  }
}
