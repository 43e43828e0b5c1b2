// Running text, wrapped as it was written, each token on a colour of its own: the sheet that pictures of
// tokens are drawn on. What the colours mean, and what else stands in a line, is told by who draws.

import { PLAIN, patterned } from "../colour/colours.js";
import { TextLayout } from "../layout/text_layout.js";
import { clamp } from "../lib/clamp.js";
import { Memo } from "../lib/memo.js";
import { Glyphs } from "./glyphs.js";
import { outline, outlineAround } from "./outline.js";
import { Pixels } from "./pixels.js";
import { Ruler } from "./ruler.js";
import { Scroller } from "./scroller.js";
import { drawRun, Shaper } from "./shaper.js";

/** A token's box, and the size of its letters. */
export const ROW = 19;
const LETTERS = 13;
/** Between two rows of a line. */
const SEAM = 1;
export const EDGE = 12;
const TOP = 6;
/** The line under a token. */
const UNDERLINE = 2;
/** So far below a line, the pointer is still on it. */
const REACH = 2;

/** @typedef {import("../data/passage.js").Passage} Passage */
/** @typedef {import("../colour/theme.js").Theme} Theme */
/** @typedef {import("./shaper.js").Run} Run */
/**
 * How a token is drawn.
 * @typedef {object} Look
 * @property {number} colour a pixel
 * @property {number} mark a pattern over it
 * @property {number} ink a pixel
 * @property {number} [under] a pixel: of the line under it
 */
/**
 * What a line has room for.
 * @typedef {object} Lines
 * @property {number} rows how many rows of boxes
 * @property {number} below height of what stands under them
 * @property {number} apart from there to the next line
 * @property {number} left of what stands before the boxes
 */
/**
 * @typedef {object} Style
 * @property {Theme} theme
 * @property {import("../data/spelling.js").Spelling} spelling how tokens spell the text
 * @property {boolean} marks whether white space shows as marks
 * @property {boolean} after whether a box follows for the token that comes after the last
 * @property {number} most the most pixels in height
 * @property {Lines} lines
 * @property {number} [wider] by how many pixels a character is wider than its font has it
 * @property {number} [least] width of a box with more than white space
 * @property {number} [kept] the box that is to stay where it is when lines change, if it is in view;
 *   else the first line in view is; undefined: neither
 */
/**
 * A frame around a box: of one row, or of them all.
 * @typedef {{box: number, thick: number, row?: number, around?: boolean}} Outline
 * @property around whether it stands outside of the box
 */
/**
 * What is drawn.
 * @typedef {object} Scene
 * @property {((box: number) => Look)[]} rows how the tokens look in each row
 * @property {Outline[]} outlines later ones over earlier ones
 * @property {(line: Line) => void} [image] what else of a line is put into the image
 * @property {(context: CanvasRenderingContext2D, line: Line) => void} [over] what is drawn over that
 */
/**
 * One line, in CSS pixels of what is seen.
 * @typedef {object} Line
 * @property {Pixels} pixels
 * @property {number} ratio device pixels to one of CSS
 * @property {number} start its first box
 * @property {number} stop its last and one
 * @property {(box: number) => [x: number, width: number]} place where a box stands
 * @property {number} y where it begins
 * @property {number} below where that begins that stands under its rows
 * @property {boolean} turned whether its boxes stand in another order than their tokens
 */

/** How high some rows are. @param {number} rows */
const heightOf = (rows) => rows * (ROW + SEAM) - SEAM;

export class TextSheet {
  /** @type {TextLayout | undefined} */
  #layout;
  #arranged = new Memo();
  /** @type {Passage | undefined} */
  #passage;
  /** @type {Lines} */
  #lines = { rows: 1, below: 0, apart: 0, left: EDGE };
  /** Where up and down have led, and the place in the line that they keep to. */
  #led = { to: -1, goal: 0 };
  #pixels = new Pixels();
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

  /** From one line to the next. */
  get #pitch() {
    const { rows, below, apart } = this.#lines;
    return heightOf(rows) + below + apart;
  }

  /** How many lines are seen at a time. */
  get page() {
    return Math.max(1, Math.floor(this.view.height / this.#pitch) - 1);
  }

  /** Where a row begins, from the top of its line. @param {number} row */
  rowTop(row) {
    return row * (ROW + SEAM);
  }

  /**
   * As much of a text as there is room for.
   * @param {string} text
   * @param {number} room in pixels
   * @param {number} size of its letters
   */
  fit(text, room, size = LETTERS) {
    return this.#ruler.fit(text, room, size);
  }

  /**
   * Lay the text out anew if anything has changed that it hangs on.
   * @param {Passage} passage
   * @param {Style} style
   * @returns {boolean} whether anything has changed
   */
  arrange(passage, style) {
    const { theme, spelling, marks, after, most, lines, wider = 0, least = 0, kept } = style;
    const { mono } = theme;
    const width = this.view.width - lines.left - EDGE;
    const shape = [lines.rows, lines.below, lines.apart, wider, least];
    const parts = [passage, passage.known, marks, width, after, mono, most, ...shape];
    if (!this.#arranged.changed(parts)) return false;
    const anchor = passage === this.#passage && kept !== undefined ? this.#anchor(kept) : undefined;
    this.#passage = passage;
    this.#lines = lines;
    this.#ruler.use(mono);
    const character = Math.round(this.#ruler.measure("0", LETTERS)) + wider;
    this.#layout = new TextLayout(passage, {
      width,
      character,
      least: Math.max(character, least),
      measure: (text) => this.#ruler.measure(text, LETTERS),
      marks,
      spelling,
      after: after && passage.known === passage.codes.length,
      places: (pieces, rtl) => this.shaper.places(pieces, rtl, `${LETTERS}px ${mono}`),
    });
    const height = this.#layout.lines * this.#pitch + 2 * TOP;
    this.view.stretch(0, height);
    this.view.grow(Math.min(height, most));
    if (anchor) {
      const line = this.#layout.lineOf(Math.min(anchor.box, this.count - 1));
      this.view.top = TOP + line * this.#pitch - anchor.offset;
    }
    return true;
  }

  /** What stays where it is. @param {number} kept a box, if it is in view */
  #anchor(kept) {
    const layout = this.#layout;
    if (!layout) return undefined;
    const { view } = this;
    const pitch = this.#pitch;
    const y = TOP + layout.lineOf(kept) * pitch - view.top;
    if (kept >= 0 && kept < this.count && y > -pitch && y < view.height) {
      return { box: kept, offset: y };
    }
    const line = Math.min(layout.lines - 1, Math.max(0, Math.floor((view.top - TOP) / pitch)));
    return { box: layout.starts[line], offset: TOP + line * pitch - view.top };
  }

  /**
   * Where to scroll for a box to be in view; where it stands now if it is.
   * @param {number} box
   * @param {number} before how many lines before it stay in view
   */
  reveal(box, before = 0) {
    const { top, height } = this.view;
    if (!this.#layout || box < 0 || box >= this.count) return top;
    const pitch = this.#pitch;
    const y = TOP + this.#layout.lineOf(box) * pitch;
    const above = Math.max(0, y - TOP - before * pitch);
    if (above < top) return above;
    return y + pitch > top + height ? y + pitch - height : top;
  }

  /**
   * @param {Theme} theme
   * @param {Passage} passage what was laid out
   * @param {Scene} scene
   */
  draw(theme, passage, { rows, outlines, image, over }) {
    const layout = this.#layout;
    const context = this.view.prepare();
    const { width, height } = this.view.canvas;
    if (!layout || !context || width <= 0 || height <= 0) return;
    const pixels = this.#pixels;
    pixels.resize(width, height);
    pixels.all.fill(theme.background);
    const ratio = window.devicePixelRatio || 1;
    this.#letters.use(`${LETTERS * ratio}px ${theme.mono}`, LETTERS * ratio);
    const { top } = this.view;
    const pitch = this.#pitch;
    const first = Math.max(0, Math.floor((top - TOP) / pitch));
    const stop = Math.min(layout.lines, Math.ceil((top - TOP + this.view.height) / pitch));
    /** @type {Run[]} */
    const runs = [];
    /** @type {Line[]} */
    const lines = [];
    for (let number = first; number < stop; number++) {
      const text = layout.settle(number);
      const y = TOP + number * pitch - top;
      const line = {
        pixels,
        ratio,
        start: layout.starts[number],
        stop: layout.end(number),
        place: (/** @type {number} */ box) => this.#across(layout, box),
        y,
        below: y + heightOf(this.#lines.rows),
        turned: layout.turned(number),
      };
      lines.push(line);
      const whole = { text, rtl: layout.rtl(number), x: this.#lines.left + layout.origin(number) };
      rows.forEach((lookOf, row) => {
        const run = { ...whole, y: y + this.rowTop(row) + ROW / 2, inks: new Map() };
        if (text) runs.push(run);
        this.#row(line, passage, lookOf, y + this.rowTop(row), text ? run : undefined, theme);
      });
      image?.(line);
    }
    pixels.put(context);
    if (over) for (const line of lines) over(context, line);
    context.font = `${LETTERS}px ${theme.mono}`;
    context.textBaseline = "middle";
    for (const run of runs) drawRun(context, run, ROW);
    for (const one of outlines) this.#outline(context, theme, one);
  }

  /**
   * Where a box stands from left to right.
   * @param {TextLayout} layout
   * @param {number} box
   * @returns {[x: number, width: number]}
   */
  #across(layout, box) {
    return [this.#lines.left + layout.left[box], layout.widths[box]];
  }

  /**
   * One row of one line.
   * @param {Line} line
   * @param {Passage} passage
   * @param {(box: number) => Look} lookOf
   * @param {number} y
   * @param {Run | undefined} run the line, if it is drawn as a whole
   * @param {Theme} theme
   */
  #row({ pixels, ratio, start, stop, place }, passage, lookOf, y, run, theme) {
    const { texts } = /** @type {TextLayout} */ (this.#layout);
    const middle = Math.round((y + ROW / 2) * ratio);
    for (let box = start; box < stop; box++) {
      const look = lookOf(box);
      const [x, size] = place(box);
      const [x0, x1] = [Math.round(x * ratio), Math.round((x + size) * ratio)];
      this.#fill(theme, look, x0, x1, y, ratio);
      if (run) {
        const some = run.inks.get(look.ink) ?? [];
        run.inks.set(look.ink, some);
        some.push([x, size]);
        continue;
      }
      const text = box < passage.known ? texts[passage.codes[box]] : "?";
      if (text.trim() === "") continue;
      pixels.centre(this.#letters.of(this.fit(text, size)), x0, x1, middle, look.ink);
    }
  }

  /**
   * A token's colour, its pattern, and the line under it.
   * @param {Theme} theme
   * @param {Look} look
   * @param {number} x0 device pixels
   * @param {number} x1
   * @param {number} y
   * @param {number} ratio
   */
  #fill(theme, { colour, mark, under }, x0, x1, y, ratio) {
    const pixels = this.#pixels;
    const [y0, y1] = [Math.round(y * ratio), Math.round((y + ROW) * ratio)];
    if (mark === PLAIN) pixels.fill(x0, y0, x1, y1, colour);
    else {
      const { width, all } = pixels;
      const right = Math.min(width, x1);
      const bottom = Math.min(pixels.height, y1);
      for (let row = Math.max(0, y0); row < bottom; row++) {
        for (let i = x0; i < right; i++) {
          all[row * width + i] = patterned(theme, mark, colour, i, row);
        }
      }
    }
    if (under === undefined) return;
    const from = y + ROW + 1;
    pixels.fill(x0, Math.round(from * ratio), x1, Math.round((from + UNDERLINE) * ratio), under);
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Theme} theme
   * @param {Outline} outline
   */
  #outline(context, theme, { box, thick, row, around }) {
    const layout = this.#layout;
    if (!layout || box < 0 || box >= this.count) return;
    const number = layout.lineOf(box);
    layout.settle(number);
    const [x, width] = this.#across(layout, box);
    const y = TOP + number * this.#pitch - this.view.top + this.rowTop(row ?? 0);
    const height = row === undefined ? heightOf(this.#lines.rows) : ROW;
    if (around) outlineAround(context, theme, [x, y, width, height], thick);
    else outline(context, theme, [x, y, width, height], thick, thick + 2);
  }

  /**
   * What is under the pointer.
   * @param {MouseEvent} event
   * @returns {{box: number, row: number, before: boolean} | undefined} a box, or -1; in which row, whether
   *   before all boxes; undefined beside all lines
   */
  at(event) {
    const layout = this.#layout;
    if (!layout || this.root.hidden) return undefined;
    const { rows, below, left } = this.#lines;
    const at = this.view.at(event);
    const [x, y] = [at.x - left, at.y - TOP + this.view.top];
    const number = Math.floor(y / this.#pitch);
    const down = y - number * this.#pitch;
    if (y < 0 || number >= layout.lines || down >= heightOf(rows) + below + REACH) return undefined;
    const row = Math.floor(down / (ROW + SEAM));
    return { box: layout.at(number, x), row, before: x < 0 && at.x > EDGE };
  }

  /** Whether the line of a box runs from right to left. @param {number} box */
  rtl(box) {
    return Boolean(this.#layout?.rtl(this.#layout.lineOf(box)));
  }

  /**
   * The box that a key leads to within the text; up and down keep their place in the line.
   * @param {string} key
   * @param {number} box -1 if it is not there yet
   * @param {boolean} modified whether a key is held down that makes it go further
   * @returns {number | undefined} undefined if the key leads nowhere
   */
  moved(key, box, modified) {
    const layout = this.#layout;
    if (!layout) return undefined;
    const line = layout.lineOf(Math.max(0, box));
    if (key === "Home") return modified ? 0 : layout.starts[line];
    if (key === "End") return (modified ? this.count : layout.end(line)) - 1;
    const steps = /** @type {Record<string, number>} */ ({
      ArrowUp: -1,
      ArrowDown: 1,
      PageUp: -this.page,
      PageDown: this.page,
    });
    const step = steps[key];
    if (step === undefined || modified || box < 0) return undefined;
    layout.settle(line);
    if (box !== this.#led.to) this.#led.goal = layout.left[box] + layout.widths[box] / 2;
    const to = clamp(line + step, 0, layout.lines - 1);
    if (to !== line) this.#led.to = layout.nearest(to, this.#led.goal);
    return to === line ? box : this.#led.to;
  }
}
