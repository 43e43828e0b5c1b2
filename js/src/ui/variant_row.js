// The row that chooses among variants: a slider that plays, their names, and what is subtracted.

import { div, element, freshId, listen } from "../lib/dom.js";
import { Memo } from "../lib/memo.js";
import { icon, menu, tell } from "./controls.js";

/** All variants go by in about so many milliseconds, each is seen for no less and no more than that. */
const ALL = 10_000;
/** No more than two and a half changes a second: more would flash. */
const LEAST = 400;
const MOST = 900;
/** After which to look again, where the next variant is still on its way. */
const AGAIN = 60;

const PLAY = "M4 2.5 13 8 4 13.5Z";
const PAUSE = "M4.5 3v10M11.5 3v10";
const STEP = "M3 3 10 8 3 13ZM13 3v10";

/** How long a variant is seen while they play. @param {number} count */
export function beat(count) {
  return Math.min(MOST, Math.max(LEAST, ALL / Math.max(1, count)));
}

export class VariantRow {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #listed = new Memo();
  #drawn = new Memo();
  #calm = matchMedia("(prefers-reduced-motion: reduce)");
  #end = new AbortController();

  /** @param {import("./frame.js").Frame} frame */
  constructor(frame) {
    this.frame = frame;
    this.state = frame.state;
    const id = freshId();
    this.button = element("button", { type: "button", class: "lw-play", "data-control": "play" });
    const range = element("input", { type: "range", id, "data-control": "variant", min: 0 });
    this.range = range;
    this.names = element("select", {
      "aria-label": "variant, by its name",
      "data-control": "variant name",
    });
    const slider = div("lw-slider", [
      element("label", { for: id }, ["variant"]),
      div("lw-zoom", [this.button]),
      range,
      div("lw-menu", [this.names]),
    ]);
    tell(
      slider,
      "Which of the recordings of the same inputs is shown; scale, order and selection stay.",
      range,
    );
    tell(this.names, "The same, chosen by its name.", this.names);
    this.less = menu(
      "difference to",
      (value) => this.state.set({ difference: value }, frame),
      "Show each value less that of this variant.",
    );
    this.root = element("div", { class: "lw-variants", role: "group", "aria-label": "variants" }, [
      slider,
      this.less.root,
    ]);
    listen(range, "input", () => this.#go(Number(range.value), frame));
    listen(this.names, "change", () => this.#go(this.names.selectedIndex, frame));
    listen(this.button, "click", () => this.#press());
    const { signal } = this.#end;
    this.#calm.addEventListener("change", () => this.stop(), { signal });
    // Whoever else chooses a variant has had enough of seeing them go by.
    const unwatch = this.state.watch((names) => {
      if (names.has("variant") && this.state.origin !== this) this.stop();
    });
    signal.addEventListener("abort", unwatch);
  }

  destroy() {
    clearTimeout(this.#timer);
    this.#end.abort();
  }

  get playing() {
    return this.#timer !== undefined;
  }

  get #index() {
    return this.state.variants.indexOf(this.state.variant);
  }

  /**
   * @param {number} index
   * @param {unknown} origin
   */
  #go(index, origin) {
    this.state.set({ variant: this.state.variants[index] }, origin);
  }

  #press() {
    if (this.playing) {
      this.stop();
      return;
    }
    const { length } = this.state.variants;
    const next = (this.#index + 1) % length;
    if (this.#calm.matches) {
      this.#go(next, this.frame);
      return;
    }
    this.#wait(beat(length));
    if (next === 0) this.#go(0, this);
    this.update();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.update();
    this.frame.schedule(); // which speaks again
  }

  /** @param {number} time */
  #wait(time) {
    this.#timer = setTimeout(() => this.#step(), time);
  }

  #step() {
    const { state } = this;
    // None is skipped because it comes late, nor goes by unseen.
    if (document.hidden || state.waiting) {
      this.#wait(AGAIN);
      return;
    }
    const last = state.variants.length - 1;
    const next = Math.min(this.#index + 1, last);
    this.#wait(beat(state.variants.length));
    this.#go(next, this);
    if (next === last) this.stop();
  }

  update() {
    const { variants, variant, difference } = this.state;
    this.root.hidden = variants.length < 2;
    if (this.root.hidden) return;
    if (this.#listed.changed([JSON.stringify(variants)])) {
      this.range.max = String(variants.length - 1);
      this.names.replaceChildren(
        ...variants.map((name) => element("option", { value: name }, [name])),
      );
    }
    const index = this.#index;
    if (this.range.value !== String(index)) this.range.value = String(index);
    if (this.range.getAttribute("aria-valuetext") !== variant) {
      this.range.setAttribute("aria-valuetext", variant);
    }
    if (this.names.selectedIndex !== index) this.names.selectedIndex = index;
    this.less.update(
      [["", "none"], ...variants.map((n) => /** @type {[string, string]} */ ([n, n]))],
      difference,
    );
    const calm = this.#calm.matches;
    if (!this.#drawn.changed([this.playing, calm])) return;
    const [path, does] = this.playing
      ? [PAUSE, "stop at this variant"]
      : calm
        ? [STEP, "show the next variant (no motion, as your system asks for)"]
        : [PLAY, "play: one variant after the other"];
    this.button.replaceChildren(icon(path));
    this.button.title = does;
    this.button.setAttribute("aria-label", does);
  }
}
