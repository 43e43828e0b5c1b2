// Lines between panes that can be moved, by the pointer and by keys.

import { clamp } from "../lib/clamp.js";
import { element, listen } from "../lib/dom.js";
import { press } from "../lib/keyboard.js";

/** Of the height and the width, what the upper and the left pane have at first, in percent. */
const UPPER = 50;
const LEFT = 60;
/** Of the lower panes, what is given to what is shown below them. */
const LAST = 0.45;
/** Of the room, in percent. */
const LEAST = 15;
const STEP = 2;

class Split {
  /**
   * @param {object} of
   * @param {"x" | "y"} of.along the side along which it moves
   * @param {string} of.name what is resized
   * @param {number} of.share of what stands before it, in percent, until it is moved
   * @param {(share: number) => void} of.onMove
   */
  constructor({ along, name, share, onMove }) {
    this.along = along;
    this.start = share;
    this.share = share;
    this.onMove = onMove;
    this.root = element("div", {
      class: `lw-split-${along}`,
      role: "separator",
      tabindex: 0,
      "aria-orientation": along === "x" ? "vertical" : "horizontal",
      "aria-label": name,
      "aria-valuemin": LEAST,
      "aria-valuemax": 100 - LEAST,
      title: `${name}: drag, or use the arrow keys; a double click resets it`,
    });
    this.#move(share);
    const [less, more] = along === "x" ? ["ArrowLeft", "ArrowRight"] : ["ArrowUp", "ArrowDown"];
    listen(this.root, "keydown", (event) =>
      press(event, {
        [less]: () => this.#move(this.share - STEP),
        [more]: () => this.#move(this.share + STEP),
        Home: () => this.#move(LEAST),
        End: () => this.#move(100 - LEAST),
        Enter: () => this.#move(this.start),
      }),
    );
    listen(this.root, "dblclick", () => this.#move(this.start));
    listen(this.root, "pointerdown", (event) => this.root.setPointerCapture(event.pointerId));
    listen(this.root, "pointermove", (event) => {
      if (this.root.hasPointerCapture(event.pointerId)) this.#follow(event);
    });
  }

  /** @param {PointerEvent} event */
  #follow(event) {
    const neighbour = (/** @type {"previousElementSibling" | "nextElementSibling"} */ side) =>
      /** @type {Element} */ (this.root[side]).getBoundingClientRect();
    const [before, after] = [neighbour("previousElementSibling"), neighbour("nextElementSibling")];
    const [start, end, at] =
      this.along === "x"
        ? [before.left, after.right, event.clientX]
        : [before.top, after.bottom, event.clientY];
    if (end > start) this.#move((100 * (at - start)) / (end - start));
  }

  /** @param {number} share */
  #move(share) {
    this.share = clamp(share, LEAST, 100 - LEAST);
    this.root.setAttribute("aria-valuenow", String(Math.round(this.share)));
    this.onMove(this.share);
  }
}

/**
 * Put lines that can be moved between the first three panes: the first stands above the others.
 * @type {import("./chrome.js").Splits}
 */
export function splitPanes(stage, resize) {
  const [upper, left] = /** @type {HTMLElement[]} */ ([...stage.children]);
  const share = (/** @type {Record<string, number>} */ parts) => {
    for (const [name, percent] of Object.entries(parts))
      stage.style.setProperty(`--lw-${name}`, `${percent}fr`);
    resize();
  };
  const level = (/** @type {number} */ upper) => {
    const lower = 100 - upper;
    share({ upper, lower, rest: (1 - LAST) * lower, last: LAST * lower });
  };
  const upright = (/** @type {number} */ left) => share({ left, right: 100 - left });
  const between = { name: "height of the upper pane", onMove: level };
  const beside = { name: "width of the left pane", onMove: upright };
  upper.after(new Split({ along: "y", share: UPPER, ...between }).root);
  left.after(new Split({ along: "x", share: LEFT, ...beside }).root);
}
