// How much of the screen a widget has: as high as what it stands in shows at once, or all of it.

import { element, listen } from "../lib/dom.js";
import { button, icon } from "./controls.js";

/** What stands in the notebook above and below a widget, and is seen with it. */
const AROUND = 40;
/** Lower, it is scrolled to instead. */
const LEAST = 520;
/** More than any screen has. */
const ENDLESS = 20_000;
/** Of a screen, where a frame's own height says nothing. */
const SHARE = 0.68;

const ENTER = "M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4";
const LEAVE = "M6 2v4H2M14 6h-4V2M10 14v-4h4M2 10h4v4";

/** What an element is in, also out of a shadow root. @param {Node} of @returns {Element | null} */
function around(of) {
  const { parentNode } = of;
  return /** @type {Element | null} */ (
    parentNode instanceof ShadowRoot ? parentNode.host : parentNode
  );
}

export class Room {
  #overlaid = false;
  /** Of a frame that is as high as its content: its height as it was found. */
  #framed = 0;
  /** What keeps us from being higher. @type {Element | undefined} */
  #limit;
  #observer = new ResizeObserver(() => this.#measure());

  /** Whether it is as high as there is room, also where it has not the whole screen. */
  fits = false;

  /**
   * @param {HTMLElement} root
   * @param {AbortSignal} signal
   * @param {() => void} resize called when it has got another height
   */
  constructor(root, signal, resize) {
    this.root = root;
    this.resize = resize;
    this.button = button("", "", () => this.#turn());
    this.#show();
    listen(root, "fullscreenchange", () => this.#changed());
    listen(root, "keydown", (event) => {
      if (event.key !== "Escape" || !this.full || event.defaultPrevented) return;
      event.preventDefault();
      event.stopPropagation();
      this.#leave();
    });
    listen(window, "resize", () => this.#measure(), { signal });
    signal.addEventListener("abort", () => this.#observer.disconnect());
  }

  get full() {
    return this.#overlaid || this.root.matches(":fullscreen");
  }

  #leave() {
    if (this.#overlaid) this.#overlay(false);
    else document.exitFullscreen();
  }

  #turn() {
    if (this.full) this.#leave();
    else {
      // A frame may not be allowed to; then it covers the page that it is in.
      const { root } = this;
      const asked = root.requestFullscreen?.() ?? Promise.reject();
      asked.catch(() => this.#overlay(true));
    }
    this.button.focus();
  }

  /**
   * Above all else in the page, without leaving our place in it.
   * @param {boolean} on
   */
  #overlay(on) {
    const { root } = this;
    this.#overlaid = on;
    if ("popover" in root) {
      root.popover = on ? "manual" : null;
      if (on) root.showPopover();
    }
    this.#changed();
  }

  #changed() {
    const { root, full } = this;
    root.classList.toggle("lw-full", full);
    // What is clicked beside its controls must not give the focus, and with it the keys, to what is behind.
    if (full) root.tabIndex = -1;
    else root.removeAttribute("tabindex");
    this.#show();
    this.fit();
  }

  #show() {
    const name = this.full ? "leave full screen (Esc)" : "full screen";
    this.button.title = name;
    this.button.setAttribute("aria-label", name);
    this.button.setAttribute("aria-pressed", String(this.full));
    this.button.replaceChildren(icon(this.full ? LEAVE : ENTER));
  }

  /** Take the height that there is. */
  fit() {
    this.root.classList.toggle("lw-filling", this.fits || this.full);
    this.#measure();
    this.resize();
  }

  #measure() {
    const { root } = this;
    const { style } = root;
    if (!this.fits || this.full) {
      style.height = "";
      return;
    }
    if (!root.isConnected) return;
    // What grows with what is in it has no say: beside something endless, it would be as high.
    const probe = element("div");
    probe.style.height = `${ENDLESS}px`;
    root.after(probe);
    let [least, limit] = [this.#window, /** @type {Element | undefined} */ (undefined)];
    for (let at = around(root); at; at = around(at)) {
      if (at === document.documentElement || at === document.body) continue;
      if (at instanceof Element && at.clientHeight > 0 && at.clientHeight < least) {
        if (getComputedStyle(at).overflowY !== "visible") [least, limit] = [at.clientHeight, at];
      }
    }
    probe.remove();
    const height = `${Math.max(LEAST, least - AROUND)}px`;
    const before = style.height;
    style.height = height;
    if (limit !== this.#limit) {
      if (this.#limit) this.#observer.unobserve(this.#limit);
      if (limit) this.#observer.observe(limit);
      this.#limit = limit;
    }
    if (height !== before) this.resize();
  }

  /** The height of the window; a frame may be as high as what is in it, and grow with us. */
  get #window() {
    if (window.top === window) return window.innerHeight;
    if (this.#framed) return this.#framed;
    const own = window.innerHeight;
    this.#framed = own >= LEAST ? own : Math.round(SHARE * screen.availHeight);
    return this.#framed;
  }
}
