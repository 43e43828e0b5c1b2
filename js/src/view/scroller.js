// A canvas that stays in view while an empty box as large as the whole is scrolled.

import { div, element, listen } from "./dom.js";

export class Scroller {
  /** What is seen of it, in CSS pixels. */
  width = 0;
  height = 0;
  /** The height that we gave it. */
  #given = "";

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

  /** Where the pointer is, from the upper left corner. @param {MouseEvent} event */
  at(event) {
    const box = this.root.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  /**
   * Zoom by the wheel, with a key held down.
   * @param {(direction: number, x: number, y: number) => void} zoom
   */
  onZoom(zoom) {
    const turn = (/** @type {WheelEvent} */ event) => {
      if (!(event.ctrlKey || event.metaKey || event.altKey)) return;
      event.preventDefault();
      const { x, y } = this.at(event);
      zoom(event.deltaY < 0 ? 1 : -1, x, y);
    };
    listen(this.root, "wheel", turn, { passive: false });
  }

  /** As high as it needs to be, until a person drags its corner. @param {number} height */
  grow(height) {
    const { style } = this.root;
    if (style.height !== this.#given || `${height}px` === this.#given) return;
    this.#given = style.height = `${height}px`;
    this.resize();
  }

  /** How large the whole is. @param {string} width any CSS width @param {number} height */
  stretch(width, height) {
    this.spacer.style.width = width;
    this.spacer.style.height = `${height}px`;
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
