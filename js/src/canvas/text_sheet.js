// Running text, wrapped as it was written, each token on a colour of its own: the sheet that a picture of
// tokens is drawn on. What the colours mean is told by who draws.

import { PLAIN, patterned } from "../colour/colours.js";
import { TextLayout } from "../layout/text_layout.js";
import { Glyphs, stamp } from "./glyphs.js";
import { Ruler } from "./ruler.js";
import { Scroller } from "./scroller.js";
import { drawRun, Shaper } from "./shaper.js";

/** A token's box, and the size of its letters. */
const ROW = 19;
const LETTERS = 13;
/** Between two lines: room for what stands under a token. */
const APART = 5;
const EDGE = 12;
const TOP = 6;
/** Of what stands under a token. */
const UNDERLINE = 2;
/** Lines that stay in view before one that is shown. */
const BEFORE = 2;

/** @typedef {import("../data/passage.js").Passage} Passage */
/** @typedef {import("../colour/theme.js").Theme} Theme */
/**
 * How a token is drawn.
 * @typedef {object} Look
 * @property {number} colour a pixel
 * @property {number} mark a pattern over it
 * @property {number} ink a pixel
 * @property {number} [under] a pixel: of the line under it
 */
/** @typedef {{box: number, thick: number}} Outline */

export class TextSheet {
  /** @type {TextLayout | undefined} */
  #layout;
  #key = /** @type {unknown[]} */ ([]);
  #image = new ImageData(1, 1);
  #pixels = new Uint32Array(1);
  #letters = new Glyphs();
  #ruler = new Ruler();

  /**
   * @param {string} label what it is and how it is used, for those who don't see it
   * @param {() => void} onChange called when it was scrolled, or has got another size
   */
  constructor(label, onChange) {
    this.view = new Scroller("lw-text", "text", label, onChange);
    this.root = this.view.root;
    this.shaper = new Shaper(this.root);
  }

  destroy() {
    this.view.destroy();
  }

  /** How many boxes there are. */
  get count() {
    return this.#layout?.count ?? 0;
  }

  /** How many lines are seen at a time. */
  get page() {
    return Math.max(1, Math.floor(this.view.height / (ROW + APART)) - 1);
  }

  /**
   * Lay the text out anew if anything has changed that it hangs on.
   * @param {Passage} passage
   * @param {{theme: Theme, spelling: import("../data/spelling.js").Spelling, marks: boolean, after: boolean, most: number}} style
   *   how tokens spell the text, whether white space shows as marks, whether a box follows for the token that comes after the last; the most pixels in height
   * @returns {boolean} whether anything has changed
   */
  arrange(passage, { theme, spelling, marks, after, most }) {
    const { mono } = theme;
    const width = this.view.width - 2 * EDGE;
    const key = [passage, passage.known, marks, width, after, mono, most];
    if (key.every((part, i) => part === this.#key[i])) return false;
    this.#key = key;
    this.#ruler.use(mono);
    const character = Math.round(this.#ruler.measure("0", LETTERS));
    this.#layout = new TextLayout(passage, {
      width,
      character,
      least: character,
      measure: (text) => this.#ruler.measure(text, LETTERS),
      marks,
      spelling,
      after: after && passage.known === passage.codes.length,
      places: (pieces, rtl) => this.shaper.places(pieces, rtl, `${LETTERS}px ${mono}`),
    });
    const height = this.#layout.lines * (ROW + APART) + 2 * TOP;
    this.view.stretch(0, height);
    this.view.grow(Math.min(height, most));
    return true;
  }

  /**
   * Where to scroll for a box to be in view, with what was read just before it; where it stands now if it is.
   * @param {number} box
   */
  reveal(box) {
    const top = this.view.top;
    if (!this.#layout || box < 0 || box >= this.count) return top;
    const y = TOP + this.#layout.lineOf(box) * (ROW + APART);
    const above = Math.max(0, y - TOP - BEFORE * (ROW + APART));
    if (above < top) return above;
    const bottom = y + ROW + APART;
    return bottom > top + this.view.height ? bottom - this.view.height : top;
  }

  /**
   * @param {Theme} theme
   * @param {Passage} passage what was laid out
   * @param {(box: number) => Look} lookOf
   * @param {Outline[]} outlines later ones over earlier ones
   */
  draw(theme, passage, lookOf, outlines) {
    const layout = this.#layout;
    const context = this.view.prepare();
    const { width, height } = this.view.canvas;
    if (!layout || !context || width <= 0 || height <= 0) return;
    if (this.#image.width !== width || this.#image.height !== height) {
      this.#image = new ImageData(width, height);
      this.#pixels = new Uint32Array(this.#image.data.buffer);
    }
    const ratio = window.devicePixelRatio || 1;
    this.#pixels.fill(theme.background);
    this.#letters.use(`${LETTERS * ratio}px ${theme.mono}`, LETTERS * ratio);
    const top = this.view.top;
    const pitch = ROW + APART;
    const first = Math.max(0, Math.floor((top - TOP) / pitch));
    const stop = Math.min(layout.lines, Math.ceil((top - TOP + this.view.height) / pitch));
    /** @type {import("./shaper.js").Run[]} */
    const runs = [];
    for (let line = first; line < stop; line++) {
      const y = TOP + line * pitch - top;
      const whole = layout.settle(line);
      /** @type {Map<number, [number, number][]>} */
      const inks = new Map();
      if (whole) {
        const x = EDGE + layout.origin(line);
        runs.push({ text: whole, rtl: layout.rtl(line), x, y: y + ROW / 2, inks });
      }
      for (let box = layout.starts[line]; box < layout.end(line); box++) {
        const look = lookOf(box);
        const [x, size] = [EDGE + layout.left[box], layout.widths[box]];
        this.#fill(theme, look, x, y, size, ratio);
        const text = box < passage.known ? layout.texts[passage.codes[box]] : "?";
        if (whole) {
          const some = inks.get(look.ink) ?? [];
          inks.set(look.ink, some);
          some.push([x, size]);
        }
        if (whole || text.trim() === "") continue;
        const glyph = this.#letters.of(this.#ruler.fit(text, size, LETTERS));
        if (!glyph) continue;
        const [x0, x1] = [Math.round(x * ratio), Math.round((x + size) * ratio)];
        const middle = Math.round((y + ROW / 2) * ratio) - (glyph.height >> 1);
        stamp(
          this.#pixels,
          width,
          glyph,
          x0 + ((x1 - x0 - glyph.width + 1) >> 1),
          middle,
          look.ink,
        );
      }
    }
    context.putImageData(this.#image, 0, 0);
    context.font = `${LETTERS}px ${theme.mono}`;
    context.textBaseline = "middle";
    for (const run of runs) drawRun(context, run, ROW);
    for (const { box, thick } of outlines) this.#outline(context, theme, box, thick);
  }

  /**
   * A token's colour, its pattern, and the line under it.
   * @param {Theme} theme
   * @param {Look} look
   * @param {number} x
   * @param {number} y
   * @param {number} size
   * @param {number} ratio
   */
  #fill(theme, { colour, mark, under }, x, y, size, ratio) {
    const { width, height } = this.#image;
    const x0 = Math.round(x * ratio);
    const x1 = Math.min(width, Math.round((x + size) * ratio));
    const rows = (/** @type {number} */ from, /** @type {number} */ to) => [
      Math.max(0, Math.round(from * ratio)),
      Math.min(height, Math.round(to * ratio)),
    ];
    const [top, bottom] = rows(y, y + ROW);
    for (let row = top; row < bottom; row++) {
      if (mark === PLAIN) this.#pixels.fill(colour, row * width + x0, row * width + x1);
      else {
        for (let i = x0; i < x1; i++) {
          this.#pixels[row * width + i] = patterned(theme, mark, colour, i, row);
        }
      }
    }
    if (under === undefined) return;
    const [from, to] = rows(y + ROW + 1, y + ROW + 1 + UNDERLINE);
    for (let row = from; row < to; row++) {
      this.#pixels.fill(under, row * width + x0, row * width + x1);
    }
  }

  /**
   * A frame around a box, which leaves its letters free: dark and light, so that it is seen on any colour.
   * @param {CanvasRenderingContext2D} context
   * @param {Theme} theme
   * @param {number} box
   * @param {number} thick
   */
  #outline(context, theme, box, thick) {
    const layout = this.#layout;
    if (!layout || box < 0 || box >= this.count) return;
    layout.settle(layout.lineOf(box));
    const x = EDGE + layout.left[box];
    const y = TOP + layout.lineOf(box) * (ROW + APART) - this.view.top;
    for (const [line, out, colour] of /** @type {[number, number, string][]} */ ([
      [1, thick + 0.5, theme.colour.bg],
      [thick, thick / 2, theme.colour.fg],
    ])) {
      context.lineWidth = line;
      context.strokeStyle = colour;
      context.strokeRect(x - out, y - out, layout.widths[box] + 2 * out, ROW + 2 * out);
    }
  }

  /** The box under the pointer, or -1. @param {MouseEvent} event */
  under(event) {
    const layout = this.#layout;
    if (!layout) return -1;
    const { x, y } = this.view.at(event);
    const down = y - TOP + this.view.top;
    const line = Math.floor(down / (ROW + APART));
    if (down < 0 || line >= layout.lines || down % (ROW + APART) > ROW + UNDERLINE) return -1;
    return layout.at(line, x - EDGE);
  }

  /**
   * The box that a key leads to.
   * @param {string} key
   * @param {number} box
   * @param {boolean} modified whether a key is held down that makes it go further
   * @returns {number | undefined} undefined if the key leads nowhere
   */
  moved(key, box, modified) {
    const layout = this.#layout;
    if (!layout || box < 0) return undefined;
    const line = layout.lineOf(box);
    const steps = /** @type {Record<string, number>} */ ({
      ArrowUp: -1,
      ArrowDown: 1,
      PageUp: -this.page,
      PageDown: this.page,
    });
    const step = steps[key];
    if (step !== undefined && !modified) {
      layout.settle(line);
      const to = Math.max(0, Math.min(layout.lines - 1, line + step));
      return to === line ? box : layout.nearest(to, layout.left[box] + layout.widths[box] / 2);
    }
    if (key === "Home") return modified ? 0 : layout.starts[line];
    if (key === "End") return (modified ? layout.count : layout.end(line)) - 1;
    return undefined;
  }
}
