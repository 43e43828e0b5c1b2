// Text in which letters join, or which runs from right to left: where its tokens stand, and how they are
// drawn. The browser sets the line as a whole; each token then takes the part of it that is its own.

import { css } from "../colour/palettes.js";
import { div, element } from "../lib/dom.js";

/** A token's letters alone may be no wider than nothing: marks on the letter before. */
const MARKS = /^\p{M}+$/u;

/** @typedef {{left: number, right: number}} Place */
/**
 * A line that is drawn as a whole.
 * @typedef {object} Run
 * @property {string} text
 * @property {boolean} rtl whether its paragraph runs from right to left
 * @property {number} x where it stands, in CSS pixels
 * @property {number} y its middle
 * @property {Map<number, [number, number][]>} inks a pixel each: left and width of the boxes in this ink
 */

export class Shaper {
  #line = element("span");

  /** @param {HTMLElement} parent in which fonts are those of the widget */
  constructor(parent) {
    const hidden = div("lw-shaper", [this.#line]);
    hidden.setAttribute("aria-hidden", "true");
    Object.assign(hidden.style, {
      position: "absolute",
      width: "0",
      height: "0",
      overflow: "hidden",
      visibility: "hidden",
    });
    Object.assign(this.#line.style, { display: "inline-block", whiteSpace: "pre" });
    parent.append(hidden);
  }

  /**
   * Where the tokens of a line stand, from its left end.
   * @param {{before: string, text: string}[]} pieces
   * @param {boolean} rtl
   * @param {string} font
   * @returns {Place[]}
   */
  places(pieces, rtl, font) {
    this.#line.style.font = font;
    this.#line.dir = rtl ? "rtl" : "ltr";
    const nodes = pieces.map(({ text }) => document.createTextNode(text));
    this.#line.replaceChildren(...nodes.flatMap((node, i) => [pieces[i].before, node]));
    const { left: origin } = this.#line.getBoundingClientRect();
    const range = document.createRange();
    const places = nodes.map((node) => {
      range.selectNodeContents(node);
      const { left, right } = range.getBoundingClientRect();
      return { left: left - origin, right: right - origin };
    });
    this.#line.replaceChildren();
    shareOut(pieces, places, rtl);
    return places;
  }
}

/**
 * Give marks a part of the letter that they stand on.
 * @param {{text: string}[]} pieces
 * @param {Place[]} places
 * @param {boolean} rtl
 */
function shareOut(pieces, places, rtl) {
  for (let i = 0; i < pieces.length; ) {
    let stop = i + 1;
    while (stop < pieces.length && MARKS.test(pieces[stop].text)) stop++;
    if (stop - i > 1) {
      const some = places.slice(i, stop);
      const left = Math.min(...some.map((place) => place.left));
      const each = (Math.max(...some.map((place) => place.right)) - left) / (stop - i);
      some.forEach((place, k) => {
        place.left = left + each * (rtl ? some.length - 1 - k : k);
        place.right = place.left + each;
      });
    }
    i = stop;
  }
}

/**
 * @param {CanvasRenderingContext2D} context with the font that the line was set in
 * @param {Run} run
 * @param {number} height of the boxes
 */
export function drawRun(context, { text, rtl, x, y, inks }, height) {
  context.direction = rtl ? "rtl" : "ltr";
  context.textAlign = "left";
  for (const [ink, boxes] of inks) {
    context.save();
    context.beginPath();
    for (const [left, width] of boxes) context.rect(left, y - height / 2, width, height);
    context.clip();
    context.fillStyle = css(ink);
    context.fillText(text, x, y + 0.5);
    context.restore();
  }
  context.direction = "ltr";
}
