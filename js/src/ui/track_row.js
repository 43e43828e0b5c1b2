// The row that names the concept tracks, shows them and hides them.

import { coloursOf } from "../colour/tracks.js";
import { element } from "../lib/dom.js";
import { Memo } from "../lib/memo.js";
import { tick } from "./controls.js";

/** @typedef {import("../data/tracks.js").Track} Track */
/** @typedef {import("../colour/theme.js").Theme} Theme */

/** The tracks by name, each with a box to tick. */
export class TrackRow {
  #shown = new Memo();
  /** @type {ReturnType<typeof tick>[]} */
  #ticks = [];

  /** @param {import("../state/recording.js").RecordingState} state */
  constructor(state) {
    this.state = state;
    this.root = element("div", { class: "lw-tracks", role: "group", "aria-label": "tracks" });
  }

  /** @param {Theme} theme */
  update(theme) {
    const { everyTrack: tracks, model } = this.state;
    const hidden = /** @type {string[]} */ (model.get("hidden_tracks") ?? []);
    this.root.hidden = tracks.length === 0;
    if (this.#shown.changed([tracks, theme])) {
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
    const made = tick(title, hide, `Show ${title} as a band.`);
    const colours = coloursOf(track, theme);
    const swatch = element("i");
    swatch.style.background = `linear-gradient(to right, ${colours[0]}, ${colours.at(-1)})`;
    if (!range) swatch.style.background = colours[1];
    made.root.firstChild?.after(swatch);
    if (range) made.root.append(element("span", {}, [range]));
    return made;
  }
}
