// How an example is drawn: its number, its classes, its words in a band a method.

import { outline } from "../../canvas/outline.js";
import { drawRun } from "../../canvas/shaper.js";
import { slants } from "../../canvas/slants.js";
import { css, ink, mix } from "../../colour/palettes.js";
import { directionOf, visible } from "../../lib/tokens.js";
import { methodName, minus } from "../../lib/wording.js";
import { BAND, EDGE, HEAD, LETTERS, MARGIN, SEAM, SURE } from "./rows.js";
import { counted, strongest, sureness } from "./words.js";

/** @typedef {import("../../data/examples.js").Row} Row */

export class Drawing {
  /**
   * @param {import("./frame.js").RelevanceFrame} frame
   * @param {import("./rows.js").Rows} rows
   */
  constructor(frame, rows) {
    this.frame = frame;
    this.state = frame.state;
    this.rows = rows;
  }

  /**
   * One example, selected or not.
   * @param {CanvasRenderingContext2D} context
   * @param {number} example
   * @param {number} y where its row begins
   * @param {number} height
   */
  example(context, example, y, height) {
    const { frame, state } = this;
    const { theme } = frame;
    const selected = state.model.get("example") === example;
    if (selected) {
      context.fillStyle = css(mix(theme.background, theme.foreground, 0.05));
      context.fillRect(0, y, this.rows.scroller.width, height - 1);
      context.fillStyle = theme.colour.accent;
      context.fillRect(0, y, 3, height - 1);
    }
    context.fillStyle = theme.colour.line;
    context.fillRect(0, y + height - 1, this.rows.scroller.width, 1);
    const row = state.examples.row(example);
    const { number } = this.rows.lengths;
    context.textAlign = "right";
    context.font = `12px ${theme.font}`;
    context.fillStyle = selected ? theme.colour.fg : theme.colour.muted;
    context.fillText(counted(example), EDGE + number, y + MARGIN + HEAD / 2 + 1);
    if (!row) return;
    this.#classes(context, row, y + MARGIN);
    this.words(context, example, row, y + MARGIN);
  }

  /**
   * The predicted class and its probability, the true class; for a cell its value.
   * @param {CanvasRenderingContext2D} context
   * @param {Row} row
   * @param {number} y
   */
  #classes(context, row, y) {
    const { theme } = this.frame;
    const { number, classes } = this.rows.lengths;
    const { summary } = this.state;
    const left = EDGE + number + 10;
    const write = (
      /** @type {string} */ text,
      /** @type {{line?: number, x?: number, room?: number, colour?: string, bold?: boolean}} */ how,
    ) => {
      const { line = 0, x = left, room = classes, colour = theme.colour.fg, bold = false } = how;
      context.fillStyle = colour;
      context.font = `${bold ? "600 " : ""}12px ${theme.font}`;
      const shown = this.rows.names.fit(text, room * (bold ? 0.95 : 1), 12);
      context.fillText(shown, x, y + line * HEAD + HEAD / 2 + 1);
    };
    context.textAlign = "left";
    const { colour } = theme;
    // Of a series, the lines below its label tell when it ends.
    const below = row.label === undefined ? 1 : 2;
    const ends = row.times?.label(row.last);
    if (ends !== undefined && !(summary.predicted && below === 2)) {
      write(ends, { line: row.true >= 0 ? 2 : below, colour: colour.muted });
    }
    if (!summary.predicted) {
      const unit = summary.unit ? ` ${visible(summary.unit)}` : "";
      write(minus(row.score.toFixed(3)) + unit, { bold: true });
      if (row.label !== undefined) write(visible(row.label), { line: 1, colour: colour.muted });
      return;
    }
    const sure = Number.isNaN(row.confidence) ? "" : sureness(row.confidence);
    const taken = sure ? SURE : 0;
    write(visible(this.state.className(row.predicted)), { room: classes - taken, bold: true });
    context.textAlign = "right";
    if (sure) write(sure, { x: left + classes, room: taken, colour: theme.colour.muted });
    context.textAlign = "left";
    if (row.true >= 0) {
      const [mark, colour] = row.right ? ["✓", theme.colour.muted] : ["✗", theme.colour.warn];
      write(mark, { line: 1, colour, bold: !row.right });
      const name = visible(this.state.className(row.true));
      write(name, { line: 1, x: left + 15, room: classes - 15, colour, bold: !row.right });
    } else if (row.label !== undefined) {
      write(visible(row.label), { line: 1, colour: theme.colour.muted });
    }
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {number} example
   * @param {Row} row
   * @param {number} y
   */
  words(context, example, row, y) {
    const { state, frame } = this;
    const { theme } = frame;
    const { left, line, method: named } = this.rows.lengths;
    const shown = this.rows.shown(example, row);
    const bands = state.bands;
    const hits = this.#hits(row);
    const looks = bands.map((m) => {
      const band = frame.bands[m];
      return { m, band, values: row.values(m), range: band.range(row.largest(m)) };
    });
    for (let at = 0; at < shown.lines; at++) {
      const top = y + at * line;
      const whole = shown.texts[at];
      if (top > this.rows.scroller.height || top + line < 0) continue;
      for (const [k, { m, band, values, range }] of looks.entries()) {
        const bandTop = top + k * (BAND + SEAM);
        if (named) {
          const chosen = m === state.method;
          context.font = `${chosen ? "600 " : ""}11px ${theme.font}`;
          context.fillStyle = chosen ? theme.colour.fg : theme.colour.muted;
          context.textAlign = "right";
          context.fillText(methodName(band.name), left - 8, bandTop + BAND / 2 + 1);
        }
        if (row.doubtful.includes(m)) {
          context.font = `600 11px ${theme.font}`;
          context.fillStyle = theme.colour.warn;
          context.textAlign = "right";
          context.fillText("?", left - 1, bandTop + BAND / 2 + 1);
        }
        context.font = `${LETTERS}px ${theme.mono}`;
        context.textAlign = "center";
        /** @type {Map<number, [number, number][]>} */
        const inks = new Map();
        for (let i = shown.starts[at]; i < shown.end(at); i++) {
          const { start, stop, padding, text } = shown.boxes[i];
          const value = values[strongest(values, start, stop)];
          const place = { x: left + shown.left[i], y: bandTop, width: shown.widths[i] };
          // That it is padding is written once.
          const written = whole || (padding && k > 0) ? "" : text;
          const ink = this.#box(context, { ...place, text: written, padding, value, band, range });
          if (!whole) continue;
          const some = inks.get(ink) ?? [];
          inks.set(ink, some);
          some.push([place.x, place.width]);
        }
        if (whole) {
          const x = left + Math.min(...shown.left.subarray(shown.starts[at], shown.end(at)));
          drawRun(context, { text: whole, rtl: shown.rtl, x, y: bandTop + BAND / 2, inks }, BAND);
        }
      }
      const bottom = top + bands.length * (BAND + SEAM) - SEAM;
      context.fillStyle = theme.colour.accent;
      for (let i = shown.starts[at]; i < shown.end(at); i++) {
        if (hits.has(shown.boxes[i].start))
          context.fillRect(left + shown.left[i], bottom + 1, shown.widths[i], 2);
      }
    }
    if (shown.cut > 0) {
      context.font = `11px ${theme.font}`;
      context.textAlign = "left";
      context.fillStyle = theme.colour.accent;
      const top = y + (shown.lines - 1) * line;
      context.fillText(this.rows.chip(shown.cut), left + shown.chip + 4, top + BAND / 2 + 1);
    }
    if (state.model.get("example") !== example) return;
    const box = shown.boxOf(state.model.get("timestep"));
    if (box < 0 || box >= shown.count) return;
    const top = y + shown.lineOf(box) * line;
    const [x, width] = [left + shown.left[box], shown.widths[box]];
    outline(context, theme, [x - 0.5, top - 0.5, width + 1, this.rows.high + 1]);
  }

  /**
   * A word in one band.
   * @param {CanvasRenderingContext2D} context
   * @param {{x: number, y: number, width: number, text: string, padding: boolean, value: number,
   *   band: import("../../colour/relevance_colours.js").Band, range: [number, number]}} what
   * @returns {number} a pixel: the ink for its letters
   */
  #box(context, { x, y, width, text, padding, value, band, range }) {
    const { theme } = this.frame;
    const nan = Number.isNaN(value);
    let colour = nan ? mix(theme.background, theme.foreground, 0.3) : band.pixel(value, range);
    if (padding) colour = mix(colour, theme.background, 0.75);
    context.fillStyle = css(colour);
    context.fillRect(x, y, width, BAND);
    const marked = padding || nan || band.clipped(value, range);
    if (marked) {
      context.save();
      context.beginPath();
      context.rect(x, y, width, BAND);
      context.clip();
      if (padding) this.dots(context, x, y, width, BAND);
      else this.slants(context, { x, y, width, height: BAND, colour, nan });
      context.restore();
    }
    context.fillStyle = css(ink(colour));
    const shown = this.rows.letters.fit(text, width - 1, LETTERS);
    if (marked) {
      // Letters stand clear of the pattern.
      context.strokeStyle = css(colour);
      context.lineWidth = 3;
      context.strokeText(shown, x + width / 2, y + BAND / 2 + 1);
    }
    context.direction = directionOf(text) ?? "ltr";
    context.fillText(shown, x + width / 2, y + BAND / 2 + 1);
    context.direction = "ltr";
    return ink(colour);
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {number} x
   * @param {number} y
   * @param {number} width
   * @param {number} height
   */
  dots(context, x, y, width, height) {
    const { theme } = this.frame;
    context.fillStyle = css(mix(theme.background, theme.foreground, 0.5));
    for (let dy = 2; dy < height; dy += 4) {
      for (let dx = 2; dx < width; dx += 4) context.fillRect(x + dx, y + dy, 1, 1);
    }
  }

  /**
   * NaN is crossed by bars up, what is cut off by lines down.
   * @param {CanvasRenderingContext2D} context
   * @param {{x: number, y: number, width: number, height: number, colour: number, nan: boolean}} what
   */
  slants(context, { x, y, width, height, colour, nan }) {
    context.strokeStyle = nan ? this.frame.theme.colour.fg : css(mix(colour, ink(colour), 0.65));
    context.lineWidth = nan ? 1.5 : 1;
    slants(context, x, y, width, height, nan);
  }

  /** The words that are searched for. @param {Row} row */
  #hits(row) {
    const search = this.state.model.get("search");
    return search ? row.hits(search) : new Set();
  }
}
