// Drawing the squares: rows of codes into one image, pixel by pixel, and the tokens on top.

import { BLOCK, NAN, NEGATIVE_INFINITY, POSITIVE_INFINITY, ZERO } from "../core/codes.js";
import { luminance } from "../core/palettes.js";
import { visible } from "../core/tokens.js";
import { PADDING, PLAIN } from "./colours.js";

/** @typedef {import("../core/source.js").WholeSource | import("../core/source.js").KernelSource} AnySource */
/** @typedef {ReturnType<typeof import("../core/layout.js").runs>} Runs */

/** A line between squares is drawn from this size on, and a token inside from the other. */
const LINED = 6;
export const LETTERED = 12;

export class Painter {
  #image = new ImageData(1, 1);
  #pixels = new Uint32Array(1);
  #line = new Uint32Array(1);
  #marks = new Uint8Array(1);
  /** Codes of the rows that were painted last: [row][run]. */
  #best = new Float32Array(1);

  /**
   * Paint all rows in view.
   * @param {CanvasRenderingContext2D} context
   * @param {object} what
   * @param {AnySource} what.source
   * @param {import("./colours.js").Colours} what.colours
   * @param {Int32Array} what.order cells, row by row
   * @param {Runs} what.runs
   * @param {number} what.left device pixels, where the image stands
   * @param {number} what.top
   * @param {number} what.width
   * @param {number} what.height
   * @param {number} what.scroll device pixels from the first row to the top of the image
   * @param {number} what.rowHeight device pixels
   * @param {number} what.columnWidth device pixels
   */
  paint(context, what) {
    const { left, top, width, height } = what;
    if (width <= 0 || height <= 0) return;
    if (this.#image.width !== width || this.#image.height !== height) {
      this.#image = new ImageData(width, height);
      this.#pixels = new Uint32Array(this.#image.data.buffer);
      this.#line = new Uint32Array(width);
      this.#marks = new Uint8Array(width);
    }
    this.#pixels.fill(what.colours.theme.background);
    if (what.rowHeight >= 1) this.#rows(what);
    else this.#pooled(what);
    context.putImageData(this.#image, left, top);
  }

  /** @param {Parameters<Painter["paint"]>[1]} what */
  #rows({ source, colours, order, runs, width, height, scroll, rowHeight, columnWidth }) {
    const lined = columnWidth >= LINED;
    const background = colours.theme.background;
    const line = this.#line;
    const marks = this.#marks;
    const masked = source.layer.masked;
    line.fill(background);
    const last = Math.min(order.length, Math.ceil((scroll + height) / rowHeight));
    for (let row = Math.floor(scroll / rowHeight); row < last; row++) {
      const cell = order[row];
      const pixels = colours.row(cell);
      const codeMarks = /** @type {Uint8Array} */ (colours.marks[cell]);
      const look = colours.marked[cell] === 1;
      let any = false;
      this.#codes(source, cell, runs, (run, code) => {
        const from = runs.from[run];
        const to = runs.to[run];
        const colour = pixels[code];
        let mark = PLAIN;
        if (look || code === NAN || code === NEGATIVE_INFINITY || code === POSITIVE_INFINITY) {
          mark = codeMarks[code];
        }
        if (masked && source.padding(runs.first[run] << runs.level)) mark = PADDING;
        any ||= mark !== PLAIN;
        const end = lined && to < width ? to - 1 : to;
        if (end - from === 1) line[from] = colour;
        else line.fill(colour, from, end);
        marks.fill(mark, from, end);
      });
      const y0 = Math.max(0, Math.round(row * rowHeight - scroll));
      let y1 = Math.min(height, Math.round((row + 1) * rowHeight - scroll));
      if (rowHeight >= LINED && y1 === Math.round((row + 1) * rowHeight - scroll)) y1--;
      for (let y = y0; y < y1; y++) this.#pixels.set(line, y * width);
      if (any) this.#pattern(colours, y0, y1, width);
    }
  }

  /**
   * @param {import("./colours.js").Colours} colours
   * @param {number} y0
   * @param {number} y1
   * @param {number} width
   */
  #pattern(colours, y0, y1, width) {
    for (let x = 0; x < width; x++) {
      const mark = this.#marks[x];
      if (mark === PLAIN) continue;
      for (let y = y0; y < y1; y++) {
        this.#pixels[y * width + x] = colours.pattern(mark, this.#line[x], x, y);
      }
      this.#marks[x] = PLAIN;
    }
  }

  /**
   * Rows thinner than a pixel: each pixel shows the cell with the largest magnitude under it.
   * @param {Parameters<Painter["paint"]>[1]} what
   */
  #pooled({ source, colours, order, runs, width, height, scroll, rowHeight }) {
    if (this.#best.length < runs.count) this.#best = new Float32Array(runs.count);
    const best = this.#best;
    for (let y = 0; y < height; y++) {
      const first = Math.floor((y + scroll) / rowHeight);
      const stop = Math.min(
        order.length,
        Math.max(first + 1, Math.floor((y + 1 + scroll) / rowHeight)),
      );
      if (first >= stop) break;
      best.fill(-1);
      const at = y * width;
      for (let row = first; row < stop; row++) {
        const cell = order[row];
        const pixels = colours.row(cell);
        const scale = source.statistics.largest[cell];
        this.#codes(source, cell, runs, (run, code) => {
          const size = code === NAN ? Number.POSITIVE_INFINITY : Math.abs(code - ZERO) * scale;
          if (size > best[run]) {
            best[run] = size;
            const x = runs.from[run];
            if (runs.to[run] - x === 1) this.#pixels[at + x] = pixels[code];
            else this.#pixels.fill(pixels[code], at + x, at + runs.to[run]);
          }
        });
      }
    }
  }

  /**
   * The code of every run of a cell, of the overview where the tile is not there yet.
   * @param {AnySource} source
   * @param {number} cell
   * @param {Runs} runs
   * @param {(run: number, code: number) => void} each
   */
  #codes(source, cell, { level, count, first, last }, each) {
    let block = -1;
    let tile = /** @type {Uint8Array | undefined} */ (undefined);
    for (let run = 0; run < count; run++) {
      const bin = first[run];
      const wanted = Math.floor(bin / BLOCK);
      if (wanted !== block) {
        block = wanted;
        tile = source.tile(level, block, cell);
      }
      let code = tile ? tile[bin - block * BLOCK] : source.coarse(cell, level, bin);
      for (let next = bin + 1; next <= last[run]; next++) {
        const beside = Math.floor(next / BLOCK);
        const from = beside === block ? tile : source.tile(level, beside, cell);
        const other = from ? from[next - beside * BLOCK] : source.coarse(cell, level, next);
        if (Math.abs(other - ZERO) > Math.abs(code - ZERO)) code = other;
      }
      each(run, code);
    }
  }

  /**
   * The tokens on the squares that were just painted.
   * @param {CanvasRenderingContext2D} context scaled to device pixels
   * @param {Parameters<Painter["paint"]>[1] & {font: string, advance: number}} what
   */
  letters(
    context,
    { source, runs, left, top, width, height, scroll, rowHeight, order, font, advance },
  ) {
    context.save();
    context.beginPath();
    context.rect(left, top, width, height);
    context.clip();
    context.font = font;
    context.textAlign = "center";
    context.textBaseline = "middle";
    /** @type {(string | undefined)[]} */
    const texts = [];
    for (let run = 0; run < runs.count; run++) {
      const token = source.token(runs.first[run]);
      texts.push(token === undefined || token === " " ? undefined : visible(token));
    }
    const last = Math.min(order.length, Math.ceil((scroll + height) / rowHeight));
    /** @type {[number, number, number][][]} ink: dark, light */
    const inks = [[], []];
    for (let row = Math.floor(scroll / rowHeight); row < last; row++) {
      const middle = Math.round((row + 0.5) * rowHeight - scroll);
      const y = Math.max(0, Math.min(height - 1, middle));
      for (let run = 0; run < runs.count; run++) {
        if (texts[run] === undefined) continue;
        const colour = this.#pixels[y * width + runs.from[run]];
        inks[luminance(colour) > 0.179 ? 0 : 1].push([
          run,
          (runs.from[run] + runs.to[run]) / 2,
          middle,
        ]);
      }
    }
    inks.forEach((squares, light) => {
      context.fillStyle = light ? "#fff" : "#1a1a1a";
      for (const [run, x, y] of squares) {
        const text = /** @type {string} */ (texts[run]);
        const room = Math.max(1, Math.floor((runs.to[run] - runs.from[run] - 1) / advance));
        const shown = text.length <= room ? text : [...text].slice(0, room).join("");
        context.fillText(shown, left + x, top + y);
      }
    });
    context.restore();
  }
}
