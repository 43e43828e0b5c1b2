// What stands around every widget's pictures: a bar, panes, messages, a foot with the status line. It
// keeps traits and controls in step, follows the page's theme and paints once a frame.

import { readTheme, watchRatio, watchTheme } from "../colour/theme.js";
import { div, element, freshId, listen, OUR_KEYS, write } from "../lib/dom.js";
import { isHosts } from "../lib/keyboard.js";
import { Room } from "./full_screen.js";
import { Keys } from "./keys.js";
import { Take } from "./take.js";

/** @typedef {import("../state/shared.js").SharedState} SharedState */

/**
 * One picture. It reads and writes the selection through its state only, and takes the size that its
 * body has in the page.
 * @typedef {object} Part
 * @property {Node[]} menus in the bar
 * @property {Node[]} tools at the end of the bar
 * @property {Node[]} body
 * @property {Node[]} [below] what stands below the foot
 * @property {boolean} [channels] whether it shows what was read, too
 * @property {string} [called] what it is called in the panel of keys
 * @property {import("./keys.js").Key[]} [keys] what keys do in it
 * @property {() => void} resize
 * @property {() => void} paint
 * @property {(names: Set<string>) => void} changed
 * @property {() => void} destroy
 */

/**
 * Puts what can be moved between the panes on a stage, and tells once they have another size.
 * @typedef {(stage: HTMLElement, resize: () => void) => void} Splits
 */

/** Milliseconds that a screen shows one picture. */
const FRAME = 16;
/** From this width on, panes stand beside each other, and all of them are seen at once. */
const WIDE = 760;
/** How long what was done is told in the place of what is selected. */
const TOLD = 2500;
/** How long a selection rests before it is spoken. */
const SPOKEN_AFTER = 150;

/**
 * The common part of all widgets' views. A subclass makes panes and controls, hands them to `show`,
 * and says what is to be said.
 * @template {SharedState} S
 * @template {Part} P
 */
export class Chrome {
  #scheduled = 0;
  #painted = 0;
  #traits = new AbortController();
  #stale = true;
  /** Whether there was no room when something was to be painted. */
  #lost = false;
  /** What went wrong in a pane since the last time, for the reader. */
  #broken = "";
  /** Whether the pointer was moved last, and no key pressed since. */
  pointing = true;
  /** @type {P[]} */
  panes = [];
  /** What keys do wherever the focus is. @type {import("./keys.js").Key[]} */
  keys = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #speaking;

  /**
   * @param {S} state
   * @param {string} name what the widget is called, for those who don't see it
   */
  constructor(state, name) {
    this.state = state;
    this.theme = /** @type {import("../colour/theme.js").Theme} */ (
      /** @type {unknown} */ (undefined)
    );
    this.status = div("lw-status");
    this.notice = element("div", { class: "lw-notice", role: "status" });
    this.spoken = element("div", { class: "lw-spoken", "aria-live": "polite" });
    this.about = div("lw-about");
    this.root = element("div", {
      class: `lw lw-${name.toLowerCase().replaceAll(" ", "-")}`,
      // Also in a page that runs from right to left: time runs from left to right, as in every plot.
      dir: "ltr",
      role: "group",
      id: freshId(),
      "aria-label": name,
      [OUR_KEYS]: "true",
    });
  }

  /**
   * Put everything into the page, and begin to paint.
   * @param {HTMLElement} el where the host wants the widget
   * @param {{panes: P[], first?: Node[], last?: Node[], sliders?: Node[], rows?: Node[], legend: Node,
   *   split?: Splits}} parts the panes; menus before and after theirs; what else stands above the
   *   panes; where several large panes share what is seen at once, what stands between them
   */
  show(el, { panes, first = [], last = [], sliders = [], rows = [], legend, split }) {
    this.panes = panes;
    const { signal } = this.#traits;
    const resize = () => {
      this.#each((pane) => pane.resize());
      this.schedule(true);
    };
    const room = new Room(this.root, signal, resize);
    const keys = new Keys(this.root, () => [
      ...this.panes.map(({ called = "", keys = [] }) => ({ title: called, keys })),
      { title: "the whole widget", keys: this.keys },
    ]);
    const { ariaLabel } = this.root;
    const take = new Take(
      this.root,
      ariaLabel ?? "",
      this.state.model,
      () => this.#selected(),
      (text) => this.#tell(text),
    );
    const stage = div(
      "lw-panes",
      panes.filter((pane) => pane.body.length > 0).map((pane) => div("lw-pane", pane.body)),
    );
    if (split) {
      split(stage, resize);
      // About as high as it will be, so that the page doesn't hop.
      this.root.style.height = `${0.8 * window.innerHeight}px`;
    }
    const below = panes.flatMap((pane) => pane.below ?? []);
    this.root.append(
      div("lw-bar", [
        ...first,
        ...panes.flatMap((pane) => pane.menus),
        ...last,
        ...panes.flatMap((pane) => pane.tools),
        element("div", { class: "lw-zoom lw-ends" }, [room.button, ...take.buttons, keys.button]),
      ]),
      ...(sliders.length ? [div("lw-sliders", sliders)] : []),
      ...rows,
      stage,
      this.notice,
      div("lw-foot", [element("div", {}, [this.status, this.about]), legend]),
      ...(split ? [] : below),
      this.spoken,
      keys.dialog,
    );
    // Who moves by keys wants to know where that led, not what the pointer rests on.
    listen(this.root, "keydown", () => this.#point(false), { capture: true });
    listen(this.root, "pointermove", () => this.#point(true), { capture: true });
    this.#keepKeys(signal);
    // What is as high as the screen has no room for more in it.
    el.append(this.root, ...(split ? below : []));

    const unwatch = this.state.watch((names) => {
      this.#stale = true;
      this.#each((pane) => pane.changed(names));
      this.schedule();
    });
    signal.addEventListener("abort", unwatch);
    watchTheme(() => this.#retheme(), signal);
    // Sizes are not known before the host has put us into the page, and change when it does.
    const resized = () => {
      if (!this.theme) this.#retheme();
      const wide = Boolean(split) && this.root.clientWidth >= WIDE;
      if (wide !== room.fits || (split && !this.root.dataset.paints)) {
        room.fits = wide;
        requestAnimationFrame(() => {
          this.root.classList.toggle("lw-split", room.fits);
          room.fit();
        });
      }
      resize();
    };
    watchRatio(resized, signal);
    const resizing = new ResizeObserver(resized);
    resizing.observe(this.root);
    signal.addEventListener("abort", () => resizing.disconnect());
  }

  destroy() {
    this.#traits.abort();
    for (const pane of this.panes) pane.destroy();
    cancelAnimationFrame(this.#scheduled);
    clearTimeout(this.#speaking);
    this.root.remove();
  }

  /**
   * Keep keys from the host while something of ours has the focus, but for those that are the host's.
   * @param {AbortSignal} signal
   */
  #keepKeys(signal) {
    // Jupyter takes keys at the document, on their way in: what it looks for has to be right before that.
    const mark = (/** @type {KeyboardEvent} */ event) => {
      const target = /** @type {Element} */ (event.composedPath()[0]);
      if (!this.root.contains(target)) return;
      const hosts = isHosts(event, target);
      for (
        let at = target;
        this.root.contains(at);
        at = /** @type {Element} */ (at.parentElement)
      ) {
        if (hosts) at.removeAttribute(OUR_KEYS);
        else if (at === target || at === this.root) at.setAttribute(OUR_KEYS, "true");
      }
    };
    listen(window, "keydown", mark, { capture: true, signal });
    listen(this.root, "keydown", (event) => {
      const target = /** @type {Element} */ (event.target);
      const passes = isHosts(event, target) || event.key === "Escape" || event.key === "Tab";
      if (event.defaultPrevented || !passes) event.stopPropagation();
    });
  }

  /** @param {boolean} pointing */
  #point(pointing) {
    if (pointing === this.pointing) return;
    this.pointing = pointing;
    this.schedule();
  }

  /**
   * Whether a change moves what is in view here: another view of this widget keeps its own place.
   * @param {Set<string>} names what has changed
   * @param {Set<string>} moving whose change may move the selection out of sight
   */
  follows(names, moving) {
    const { origin } = this.state;
    if (origin !== undefined && origin !== this) return false;
    return [...names].some((name) => moving.has(name));
  }

  #retheme() {
    if (!this.root.isConnected) return;
    const theme = readTheme(this.root);
    const before = JSON.stringify(this.theme);
    this.theme = theme;
    // While a host changes its style sheets we may have no size, and what was to be painted then is lost.
    if (JSON.stringify(theme) === before && !this.#lost) return;
    this.#stale = true;
    cancelAnimationFrame(this.#scheduled);
    this.#scheduled = 0;
    this.schedule(true);
  }

  /**
   * Paint once for all that changes now: right after the event that changed it, unless this frame has
   * been painted already; then with the next.
   * @param {boolean} later with the next in any case: an observer of sizes may not change one itself
   */
  schedule(later = performance.now() - this.#painted <= FRAME) {
    if (this.#scheduled) return;
    const paint = (/** @type {boolean} */ inFrame) => {
      this.#scheduled = 0;
      if (this.theme && this.root.isConnected && this.root.clientWidth > 0) this.#paint();
      // A host may take us out of the page and put us back within a frame, unseen by the observer of
      // our size. If we are still out at the frame, that observer will tell when we are back.
      else if (inFrame) this.#lost = true;
      else this.#scheduled = requestAnimationFrame(() => paint(true));
    };
    if (later) this.#scheduled = requestAnimationFrame(() => paint(true));
    else {
      this.#scheduled = -1;
      queueMicrotask(() => paint(false));
    }
  }

  #paint() {
    this.#painted = performance.now();
    this.#lost = false;
    if (this.#stale) this.#attempt(() => this.update());
    this.#stale = false;
    this.#each((pane) => pane.paint());
    this.#attempt(() => this.#say());
    this.#attempt(() => this.request());
    const notice = this.#broken || this.state.error || this.warning;
    this.#broken = "";
    write(this.notice, notice);
    this.root.dataset.paints = String(Number(this.root.dataset.paints ?? 0) + 1);
  }

  /** @param {(pane: P) => void} act */
  #each(act) {
    for (const pane of this.panes) this.#attempt(() => act(pane));
  }

  /** Do something; what goes wrong is told under the widget, and all the rest goes on. @param {() => void} act */
  #attempt(act) {
    try {
      act();
    } catch (error) {
      const told = `This part can't be shown: ${error instanceof Error ? error.message : error}`;
      if (this.notice.textContent !== told) console.error(error);
      this.#broken = told;
    }
  }

  /** Bring the controls up to date. */
  update() {}

  /**
   * The status line: what is under the pointer, otherwise what is selected.
   * @returns {{text: string, full?: string, hovered?: boolean}} what it says, what it says if pointed at
   */
  describe() {
    return { text: "" };
  }

  /** What is selected, whatever the pointer rests on. */
  #selected() {
    const { pointing } = this;
    this.pointing = false;
    const { text, full } = this.describe();
    this.pointing = pointing;
    return { text, full };
  }

  /** Whether what is selected is not to be read out just now. */
  get quiet() {
    return false;
  }

  /** What to tell a person about the kernel. */
  get warning() {
    return "";
  }

  /** Ask for what was found missing while painting. */
  request() {}

  /** Say once, in the place of the status line, what was done. @param {string} text */
  #tell(text) {
    write(this.status, text);
    this.#speak(text);
    setTimeout(() => this.schedule(), TOLD);
  }

  #say() {
    const { text, full = "", hovered = false } = this.describe();
    write(this.status, text);
    this.status.title = full;
    this.status.classList.toggle("lw-hovered", hovered);
    if (!hovered && !this.quiet) this.#speak(text);
  }

  /** @param {string} text */
  #speak(text) {
    if (this.spoken.textContent === text) return;
    clearTimeout(this.#speaking);
    this.#speaking = setTimeout(() => {
      this.spoken.textContent = text;
    }, SPOKEN_AFTER);
  }
}
