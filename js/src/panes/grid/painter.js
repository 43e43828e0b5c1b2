// Drawing the squares: rows of codes into one image, pixel by pixel, and the tokens on top.

import { Glyphs } from "../../canvas/glyphs.js";
import { Pixels } from "../../canvas/pixels.js";
import { DOTS, PADDING, PLAIN } from "../../colour/colours.js";
import { ink } from "../../colour/palettes.js";
import { shownToken } from "../../data/align.js";
import { BLOCK, ZERO } from "../../data/codes.js";
import { clamp } from "../../lib/clamp.js";
import { Memo } from "../../lib/memo.js";
import { firstOf } from "../../lib/tokens.js";
import { Pooled } from "./pooled.js";

/** @typedef {import("../../data/source.js").AnySource} AnySource */
/** @typedef {ReturnType<typeof import("../../layout/columns.js").runs>} Runs */
/** @typedef {import("../../colour/colours.js").Colours} Colours */

/** A line between squares is drawn from this size on, and a token inside from the other. */
const LINED = 6;
export const LETTERED = 12;

/** What tells where runs are. */
const SIDES = /** @type {const} */ (["first", "last", "from", "to"]);

export class Painter {
  #image = new Pixels();
  #line = new Uint32Array(1);
  #marks = new Uint8Array(1);
  #codes = new Uint8Array(1);
  #glyphs = new Glyphs();
  #pooled = new Pooled();
  /** The colours in which the image shows what #pooled has found. @type {Colours | undefined} */
  #painted;
  /** What the image shows, and where its runs stand; nothing if some of it was not there yet. */
  #shown = new Memo();
  #runs = /** @type {Runs | undefined} */ (undefined);

  /**
   * Paint all rows in view.
   * @param {CanvasRenderingContext2D} context
   * @param {object} what
   * @param {AnySource} what.source
   * @param {string} what.align which token stands at a column
   * @param {Colours} what.colours
   * @param {Int32Array} what.order cells, row by row
   * @param {Runs} what.runs
   * @param {number} what.left device pixels, where the image stands
   * @param {number} what.top
   * @param {number} what.width
   * @param {number} what.height
   * @param {number} what.scroll device pixels from the first row to the top of the image
   * @param {number} what.rowHeight device pixels
   * @param {number} what.columnWidth device pixels
   * @param {{font: string, size: number}} [letters] to put the tokens on the squares, in device pixels
   */
  paint(context, what, letters) {
    const { left, top, width, height } = what;
    if (width <= 0 || height <= 0) return;
    if (this.#image.resize(width, height)) {
      this.#line = new Uint32Array(width);
      this.#marks = new Uint8Array(width);
      this.#painted = undefined;
    }
    if (this.#codes.length < what.runs.count) this.#codes = new Uint8Array(what.runs.count);
    if (!this.#shows(what, letters)) {
      if (what.rowHeight >= 1) this.#rows(what);
      else this.#thin(what);
      if (letters) this.#letters(what, letters);
    }
    this.#image.put(context, left, top);
  }

  /**
   * Whether the image shows this already: a step of the selection changes no square.
   * @param {Parameters<Painter["paint"]>[1]} what
   * @param {{font: string} | undefined} letters
   */
  #shows({ source, align, colours, order, runs, scroll, rowHeight, columnWidth }, letters) {
    const look = [source, source.version, align, colours, order, letters?.font, this.#image.all];
    const shown = [...look, scroll, rowHeight, columnWidth, runs.level, runs.cut];
    const same = !this.#shown.changed(shown);
    const before = this.#runs;
    const still =
      same &&
      before !== undefined &&
      order.length > 0 &&
      SIDES.every((side) => runs[side].every((at, i) => at === before[side][i]));
    this.#runs = runs;
    // Tiles in view are shown as used, which keeps them.
    if (still) this.#gather(source, order[Math.floor(scroll / rowHeight)], runs);
    return still;
  }

  /** @param {Parameters<Painter["paint"]>[1]} what */
  #rows({ source, colours, order, runs, width, height, scroll, rowHeight, columnWidth }) {
    const lined = columnWidth >= LINED;
    const line = this.#line;
    const marks = this.#marks;
    const codes = this.#codes;
    const { count, from, to } = runs;
    this.#painted = undefined;
    // Padding is asked for anew as long as it isn't known, which isn't told from none.
    if (source.layer.masked && !source.layer.tokens) this.#runs = undefined;
    const { all } = this.#image;
    all.fill(colours.theme.background);
    const padding = source.layer.masked ? paddedRuns(source, runs) : undefined;
    line.fill(colours.theme.background);
    const last = Math.min(order.length, Math.ceil((scroll + height) / rowHeight));
    for (let row = Math.floor(scroll / rowHeight); row < last; row++) {
      const cell = order[row];
      const pixels = colours.row(cell);
      const codeMarks = colours.marks(cell);
      this.#gather(source, cell, runs);
      let any = false;
      for (let run = 0; run < count; run++) {
        const code = codes[run];
        const end = lined && to[run] < width ? to[run] - 1 : to[run];
        if (end - from[run] === 1) line[from[run]] = pixels[code];
        else line.fill(pixels[code], from[run], end);
        const mark = padding?.[run] ? PADDING : codeMarks[code];
        if (mark === PLAIN) continue;
        marks.fill(mark, from[run], end);
        any = true;
      }
      const y0 = Math.max(0, Math.round(row * rowHeight - scroll));
      let y1 = Math.min(height, Math.round((row + 1) * rowHeight - scroll));
      if (rowHeight >= LINED && y1 === Math.round((row + 1) * rowHeight - scroll)) y1--;
      for (let y = y0; y < y1; y++) all.set(line, y * width);
      if (any) this.#pattern(colours, y0, y1, width);
    }
  }

  /**
   * @param {Colours} colours
   * @param {number} y0
   * @param {number} y1
   * @param {number} width
   */
  #pattern(colours, y0, y1, width) {
    const { all } = this.#image;
    for (let x = 0; x < width; x++) {
      const mark = this.#marks[x];
      if (mark === PLAIN) continue;
      for (let y = y0; y < y1; y++) {
        all[y * width + x] = colours.pattern(mark, this.#line[x], x, y);
      }
      this.#marks[x] = PLAIN;
    }
  }

  /**
   * Rows thinner than a pixel.
   * @param {Parameters<Painter["paint"]>[1]} what
   */
  #thin(what) {
    const { colours } = what;
    this.#runs = undefined; // what #pooled has found is kept there
    const found = this.#pooled.find(what);
    if (!found && this.#painted === colours) return;
    this.#painted = colours;
    const { table } = colours;
    const { ids } = this.#pooled;
    const { all } = this.#image;
    for (let i = 0; i < ids.length; i++) all[i] = table[ids[i]];
  }

  /**
   * Put the code of every run of a cell into #codes; that of the overview where the tile is not there
   * yet. This is where most of a frame's time goes.
   * @param {AnySource} source
   * @param {number} cell
   * @param {Runs} runs
   */
  #gather(source, cell, { level, count, first, last }) {
    const codes = this.#codes;
    let start = 0;
    let stop = 0;
    let tile = /** @type {Uint8Array | undefined} */ (undefined);
    for (let run = 0; run < count; run++) {
      const bin = first[run];
      if (bin >= stop) {
        const block = Math.floor(bin / BLOCK);
        start = block * BLOCK;
        stop = start + BLOCK;
        tile = source.tile(level, block, cell);
        if (!tile) this.#runs = undefined;
      }
      const end = last[run];
      let code = tile ? tile[bin - start] : source.coarse(cell, level, bin);
      let size = Math.abs(code - ZERO);
      for (let next = bin + 1; next <= end; next++) {
        let other = 0;
        if (next >= stop) {
          const beside = source.tile(level, stop / BLOCK, cell);
          if (!beside) this.#runs = undefined;
          other = beside ? beside[next - stop] : source.coarse(cell, level, next);
        } else other = tile ? tile[next - start] : source.coarse(cell, level, next);
        const otherSize = Math.abs(other - ZERO);
        if (otherSize > size) {
          code = other;
          size = otherSize;
        }
      }
      codes[run] = code;
    }
  }

  /**
   * As many characters of a text as there is room for, one at least.
   * @param {string} text
   * @param {number} room
   * @param {number} size of its letters
   */
  #fitting(text, room, size) {
    for (let count = Math.max(1, Math.floor(room / (0.62 * size))); ; count--) {
      const glyph = this.#glyphs.of(firstOf(text, count));
      if (count === 1 || !glyph || glyph.width - 2 <= room) return glyph;
    }
  }

  /**
   * Put the tokens on the squares, in whichever ink their colour lets one read. Letters are
   * blended into the image itself: thousands of calls for text would take longer than a frame.
   * @param {Parameters<Painter["paint"]>[1]} what
   * @param {{font: string, size: number}} letters
   */
  #letters({ source, align, runs, width, height, scroll, rowHeight, order }, { font, size }) {
    this.#glyphs.use(font, size);
    /** @type {(import("../../canvas/glyphs.js").Glyph | undefined)[]} */
    const glyphs = [];
    for (let run = 0; run < runs.count; run++) {
      const token = shownToken(source, runs.first[run], align);
      if (token === undefined) this.#runs = undefined;
      const room = runs.to[run] - runs.from[run] - 1;
      const unseen = token === undefined || source.spelling.text(token) === " ";
      glyphs.push(unseen ? undefined : this.#fitting(source.spelling.label(token), room, size));
    }
    const { all: pixels } = this.#image;
    const last = Math.min(order.length, Math.ceil((scroll + height) / rowHeight));
    for (let row = Math.floor(scroll / rowHeight); row < last; row++) {
      const middle = Math.round((row + 0.5) * rowHeight - scroll - 0.5);
      const sampled = clamp(middle, 0, height - 1) * width;
      for (let run = 0; run < runs.count; run++) {
        const glyph = glyphs[run];
        if (!glyph) continue;
        // Beside the dots of padding, which are no ground for a letter.
        const beside = runs.from[run] % DOTS === 0 && runs.to[run] - runs.from[run] > 1 ? 1 : 0;
        const colour = ink(pixels[sampled + runs.from[run] + beside]);
        // A square that is cut off at the side keeps its letter at the same place of the square.
        const cut = runs.from[run] === 0 ? runs.cut : 0;
        const whole = runs.to[run] - runs.from[run] + cut;
        const x = runs.from[run] - cut + ((whole - glyph.width) >> 1);
        const y = middle - (glyph.height >> 1);
        this.#image.stamp(glyph, x, y, colour, runs.from[run], runs.to[run]);
      }
    }
  }
}

/**
 * Which runs show nothing but padding.
 * @param {AnySource} source
 * @param {Runs} runs
 */
function paddedRuns(source, { count, level, first, last }) {
  const padded = new Uint8Array(count).fill(1);
  for (let run = 0; run < count; run++) {
    const stop = Math.min(source.columns, (last[run] + 1) * 2 ** level);
    for (let column = first[run] * 2 ** level; column < stop; column++) {
      if (source.padding(column)) continue;
      padded[run] = 0;
      break;
    }
  }
  return padded;
}
