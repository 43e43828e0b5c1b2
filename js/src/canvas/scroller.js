// A canvas that stays in view while an empty box as large as the whole is scrolled.

import { extentOf, fromScroll, toScroll } from "../layout/scrolling.js";
import { clamp } from "../lib/clamp.js";
import { div, element, listen } from "../lib/dom.js";

/** From so many pixels on, it is a wheel with notches that turns, not two fingers on a trackpad. */
const NOTCH = 50;
/** How long such fingers rest, in milliseconds, until they pinch anew. */
const PINCH_ENDS = 250;
/** What a wheel that counts in lines means by one. */
const LINE = 20;

export class Scroller {
  /** What is seen of it, in CSS pixels. */
  width = 0;
  height = 0;
  /** The height that we gave it. */
  #given = "";
  #whole = { left: 0, top: 0 };
  /** Where it was sent, and the number by which the browser knows that place. */
  #gone = { left: { browser: -1, exact: 0 }, top: { browser: -1, exact: 0 } };
  /** Its size and where it stood when what is selected was brought into view. */
  #revealed = { size: "", place: "" };

  /**
   * @param {string} name of its class
   * @param {string} kind what it is, for those who don't see it
   * @param {string} label and how it is used
   * @param {() => void} onChange called when it was scrolled, or has got another size
   */
  constructor(name, kind, label, onChange) {
    this.canvas = element("canvas", { "aria-hidden": "true" });
    this.spacer = div("lw-spacer");
    this.root = element(
      "div",
      {
        class: `lw-scroller ${name}`,
        tabindex: 0,
        role: "application",
        "aria-roledescription": kind,
        "aria-label": label,
      },
      [div("lw-pinned", [this.canvas]), this.spacer],
    );
    listen(this.root, "scroll", onChange);
    listen(this.root, "wheel", (event) => this.#turn(event), { passive: false });
    this.resizing = new ResizeObserver(() => {
      this.resize();
      requestAnimationFrame(onChange); // an observer of sizes may not change one itself
    });
    this.resizing.observe(this.root);
  }

  destroy() {
    this.resizing.disconnect();
  }

  /** Read the size that the page gives it; never while painting, unless we have just changed it. */
  resize() {
    this.width = this.root.clientWidth;
    this.height = this.root.clientHeight;
  }

  get #size() {
    return `${this.width} ${this.height}`;
  }

  get #place() {
    return `${this.root.scrollLeft} ${this.root.scrollTop}`;
  }

  /** Note that what is selected has been brought into view. */
  reveals() {
    this.#revealed = { size: this.#size, place: this.#place };
  }

  /** Whether it has got another size since, so that what nobody has scrolled away from may be out of view. */
  get displaced() {
    return this.#size !== this.#revealed.size && this.#place === this.#revealed.place;
  }

  /** Where the pointer is, from the upper left corner. @param {{clientX: number, clientY: number}} event */
  at(event) {
    const box = this.root.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  /**
   * Zoom by the wheel, with a key held down, or by two fingers, which browsers tell as such a wheel if they are
   * on a trackpad.
   * @param {object} zoom
   * @param {(direction: number, x: number, y: number) => void} zoom.step by a notch of the wheel
   * @param {() => void} zoom.begin fingers begin to pinch
   * @param {(factor: number, x: number, y: number) => void} zoom.scale by a factor since they began
   */
  onZoom({ step, begin, scale }) {
    const { root } = this;
    root.classList.add("lw-zooms");
    let [factor, last] = [1, Number.NEGATIVE_INFINITY];
    const turn = (/** @type {WheelEvent} */ event) => {
      if (!(event.ctrlKey || event.metaKey || event.altKey)) return;
      event.preventDefault();
      const { x, y } = this.at(event);
      if (event.deltaMode > 0 || Math.abs(event.deltaY) >= NOTCH) {
        step(event.deltaY < 0 ? 1 : -1, x, y);
        return;
      }
      if (event.timeStamp - last > PINCH_ENDS) {
        factor = 1;
        begin();
      }
      last = event.timeStamp;
      factor *= Math.exp(-event.deltaY / 100);
      scale(factor, x, y);
    };
    listen(root, "wheel", turn, { passive: false });

    /** @type {{x: number, y: number, apart: number} | undefined} */
    let pinch;
    listen(root, "touchstart", ({ touches }) => {
      pinch = touches.length === 2 ? this.#between(touches) : undefined;
      if (pinch) begin();
    });
    const move = (/** @type {TouchEvent} */ event) => {
      if (!pinch || event.touches.length !== 2) return;
      // It can't be where one finger had begun to scroll before the other came.
      if (event.cancelable) event.preventDefault();
      const { x, y, apart } = this.#between(event.touches);
      // What was between the fingers stays there, wherever they go.
      this.left += pinch.x - x;
      this.top += pinch.y - y;
      pinch = { ...pinch, x, y };
      scale(apart / pinch.apart, x, y);
    };
    listen(root, "touchmove", move, { passive: false });
    for (const end of /** @type {const} */ (["touchend", "touchcancel"])) {
      listen(root, end, () => {
        pinch = undefined;
      });
    }
  }

  /** Where two fingers are: the middle between them, and how far apart. @param {TouchList} touches */
  #between(touches) {
    const [a, b] = [this.at(touches[0]), this.at(touches[1])];
    const apart = Math.max(1, Math.hypot(a.x - b.x, a.y - b.y));
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, apart };
  }

  /** As high as it needs to be, until a person drags its corner. @param {number} height */
  grow(height) {
    const { style } = this.root;
    if (style.height !== this.#given || `${height}px` === this.#given) return;
    this.#given = style.height = `${height}px`;
    this.resize();
  }

  /**
   * How large the whole is, in CSS pixels.
   * @param {number} width 0: as wide as what is seen
   * @param {number} height
   */
  stretch(width, height) {
    this.#whole = { left: width, top: height };
    const { style } = this.spacer;
    style.width = width ? `${this.#extent("left").shown}px` : "";
    style.height = `${this.#extent("top").shown}px`;
  }

  /** @param {"left" | "top"} side */
  #extent(side) {
    return extentOf(this.#whole[side], side === "left" ? this.width : this.height);
  }

  /** How far the whole is scrolled down. A browser's own number is no measure of what is higher than it can be. */
  get top() {
    return this.#at("top");
  }

  set top(to) {
    this.#go("top", to);
  }

  /** How far the whole is scrolled to the right. */
  get left() {
    return this.#at("left");
  }

  set left(to) {
    this.#go("left", to);
  }

  /** @param {"left" | "top"} side */
  #at(side) {
    const { browser, exact } = this.#gone[side];
    const at = side === "top" ? this.root.scrollTop : this.root.scrollLeft;
    // Where it was sent it is, to the pixel, however large the browser's steps are.
    return at === browser ? exact : fromScroll(at, this.#extent(side));
  }

  /** @param {"left" | "top"} side @param {number} to */
  #go(side, to) {
    const extent = this.#extent(side);
    const name = side === "top" ? "scrollTop" : "scrollLeft";
    const exact = clamp(to, 0, extent.whole - extent.room);
    this.root[name] = toScroll(exact, extent);
    const scaled = extent.shown < extent.whole;
    this.#gone[side] = { browser: scaled ? this.root[name] : -1, exact };
  }

  /** Turn a wheel by what it says, where the browser's steps would leave rows out. @param {WheelEvent} event */
  #turn(event) {
    const { whole, shown } = this.#extent("top");
    if (whole === shown || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const before = this.top;
    this.top = before + event.deltaY * [1, LINE, this.height][event.deltaMode];
    if (this.top !== before) event.preventDefault();
  }

  /**
   * Make the canvas as large as what is seen: its context, in CSS pixels.
   * @param {number} height
   */
  prepare(height = this.height) {
    return sized(this.canvas, this.width, height);
  }
}

/**
 * Give a canvas a size in CSS pixels: its context, which draws in them.
 * @param {HTMLCanvasElement} canvas
 * @param {number} width
 * @param {number} height
 */
export function sized(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  context?.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}
