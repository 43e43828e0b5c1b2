// The top guesses under the tokens of a line.

import { Glyphs } from "../../canvas/glyphs.js";
import { ink, mix } from "../../colour/palettes.js";
import { guessesAt } from "../../data/guesses.js";

/** A guess's box, and the size of its letters. */
const ROW = 14;
const LETTERS = 11;
/** Between a token and the guesses under it. */
const GAP = 2;
/** The least width of a word with guesses under it. */
export const ROOM_FOR_GUESSES = 52;

/** @typedef {import("../../colour/theme.js").Theme} Theme */
/** @typedef {import("../../canvas/text_sheet.js").Line} Line */

/**
 * What a probability is drawn on: the further from the background, the larger it is.
 * @param {Theme} theme
 * @param {number} probability
 */
function shade({ background, foreground }, probability) {
  return mix(background, foreground, 0.06 + 0.74 * probability);
}

export class GuessRows {
  #plain = new Glyphs();
  #bold = new Glyphs();
  /** Boxes of those that are right. @type {[number, number, number, number][]} */
  #right = [];

  /** How high they are. @param {number} ranks how many stand under each other */
  static height(ranks) {
    return ranks ? ranks * ROW + GAP : 0;
  }

  /** @param {import("../../canvas/text_sheet.js").TextSheet} sheet */
  constructor(sheet) {
    this.sheet = sheet;
  }

  /** Begin a picture. @param {Theme} theme */
  begin({ mono }) {
    const size = LETTERS * (window.devicePixelRatio || 1);
    this.#plain.use(`${size}px ${mono}`, size);
    this.#bold.use(`bold ${size}px ${mono}`, size);
    this.#right = [];
  }

  /**
   * Put the guesses of a line into the image.
   * @param {Line} line
   * @param {number} y where they begin
   * @param {{source: import("../../data/source.js").AnySource, theme: Theme, columnOf: (box: number) => number}} scene
   *   the column whose guesses stand under a box, -1 for none
   */
  image({ pixels, ratio, start, stop, place }, y, { source, theme, columnOf }) {
    for (let box = start; box < stop; box++) {
      const column = columnOf(box);
      const guesses = column < 0 ? undefined : guessesAt(source, column);
      if (!guesses) continue;
      const [x, size] = place(box);
      const [x0, x1] = [Math.round(x * ratio), Math.round((x + size) * ratio)];
      guesses.forEach(({ text, probability, right }, rank) => {
        const top = y + GAP + rank * ROW;
        const [y0, y1] = [Math.round(top * ratio), Math.round((top + ROW) * ratio)];
        const colour = shade(theme, probability);
        pixels.fill(x0, y0, x1, y1, colour);
        const glyph = (right ? this.#bold : this.#plain).of(this.sheet.fit(text, size, LETTERS));
        pixels.centre(glyph, x0, x1, (y0 + y1) >> 1, ink(colour));
        if (right) this.#right.push([x, top, size, ROW]);
      });
    }
  }

  /** Frame those that are right. @param {CanvasRenderingContext2D} context @param {Theme} theme */
  over(context, { colour }) {
    context.strokeStyle = colour.fg;
    context.lineWidth = 1;
    for (const [x, y, width, height] of this.#right) {
      context.strokeRect(x + 0.5, y + 0.5, width - 1, height - 1);
    }
    this.#right = [];
  }
}
