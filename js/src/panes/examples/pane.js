// One cell over many short examples, each with its label.

import { drawBands } from "../../canvas/bands.js";
import { cut } from "../../canvas/ruler.js";
import { Scroller } from "../../canvas/scroller.js";
import { drawTimeRuler } from "../../canvas/time_ruler.js";
import { CLIPPED, IS_NAN, PADDING } from "../../colour/colours.js";
import { css, ink } from "../../colour/palettes.js";
import { shownColumn, shownToken } from "../../data/align.js";
import { BLOCK } from "../../data/codes.js";
import { codeAt } from "../../data/source.js";
import { Columns } from "../../layout/columns.js";
import { before, wrap } from "../../layout/example_rows.js";
import { clamp } from "../../lib/clamp.js";
import { div, listen, write } from "../../lib/dom.js";
import { press } from "../../lib/keyboard.js";
import { Memo } from "../../lib/memo.js";
import { firstOf, visible } from "../../lib/tokens.js";
import { NOTHING_RECORDED } from "../../lib/wording.js";
import { menu } from "../../ui/controls.js";

const ROW = 26;
const SQUARE = 18;
/** Where times are known, squares are as narrow as shows all of an example, but no narrower than this. */
const NARROWEST = 3;
/** From this width on there is a line between squares, and around each of the example that is selected. */
const LINED = 6;
/** Above the rows: nothing, or the times that all examples have. */
const [ABOVE, TIMES] = [8, 26];
/** A concept track under the squares. */
const BAND = { height: 3, pitch: 4 };
const EDGE = 12;
/** Of the font that labels are written in. */
const CHARACTER = 7.83;
/** A label has no more room than so many characters, nor than this share of the width. */
const MOST_CHARACTERS = 28;
const MOST_SHARE = 1 / 3;
/** The widest labels of so many examples are looked for. */
const MEASURED = 400;
/** No more of a token is looked at for the two characters that a square has room for. */
const BEGINNING = 64;
const MOST_HEIGHT = 420;
/** Between two examples. */
const APART = 22;
const MOVES = new Set(["example", "timestep", "layer"]);
const SORTED = new Set(["sort"]);
const SORTS = /** @type {[string, string][]} */ ([
  ["index", "index"],
  ["value", "value at the timestep"],
]);

/** @typedef {import("../../ui/frame.js").Frame} Frame */

/** @type {import("../../ui/keys.js").Key[]} */
const KEYS = [
  ["← →", "the timestep before, after"],
  ["↑ ↓", "the row above, below"],
  ["PageUp PageDown", "ten rows up, down"],
  ["Home End", "the first, the last example"],
];

export class ExamplePane {
  called = "examples";
  keys = KEYS;
  #reveal = true;
  /** Whether the examples are to be shown from the first one on. */
  #restart = false;
  #order = new Int32Array(0);
  #rankOf = new Int32Array(0);
  #arranged = new Memo();
  #wanted = new Memo();
  /** The variant whose values rows are in the order of. @type {import("../../data/source.js").AnySource | undefined} */
  #sorting;
  /** The widest text before the tokens, in pixels, as far as labels were seen. */
  #lead = 0;
  /** The examples whose labels were not seen yet. */
  #unmeasured = /** @type {number[]} */ ([]);
  #measured = new Memo();
  /** The column under the pointer. @type {number | undefined} */
  #pointed;

  /** @param {Frame} frame */
  constructor(frame) {
    this.frame = frame;
    const { state } = frame;
    this.state = state;
    this.sort = menu(
      "sort by",
      (value) => state.set({ sort: value }, frame),
      "The order of the examples, from the top.",
    );
    this.view = new Scroller(
      "lw-examples",
      "examples",
      "One cell over all examples. Left and right go through the timesteps, up and down a row.",
      () => this.frame.schedule(),
    );
    this.scroller = this.view.root;
    this.empty = div("lw-empty");
    this.menus = [this.sort.root];
    this.tools = [];
    this.body = [this.scroller, this.empty];
    listen(this.scroller, "keydown", (event) => this.#key(event));
    listen(this.scroller, "click", (event) => {
      const column = this.#under(event);
      if (column !== undefined) state.select(column, this.frame);
    });
    listen(this.scroller, "pointermove", (event) => {
      const column = this.#under(event);
      if (column === this.#pointed) return;
      this.#pointed = column;
      this.frame.schedule();
    });
    listen(this.scroller, "pointerleave", () => {
      this.#pointed = undefined;
      this.frame.schedule();
    });
  }

  /** Under a pointer that rests, the cell may become another one. */
  get hovered() {
    const column = this.#pointed;
    return column === undefined ? undefined : { cell: this.state.model.get("cell"), column };
  }

  destroy() {
    this.view.destroy();
  }

  /** @param {Set<string>} names */
  changed(names) {
    if (this.frame.follows(names, MOVES)) this.#reveal = true;
    if (this.frame.follows(names, SORTED)) this.#restart = true;
  }

  resize() {
    this.view.resize();
  }

  /** From one row to the next: its concept tracks stand under it. */
  get #row() {
    return ROW + this.state.tracks.length * BAND.pitch;
  }

  #font() {
    return `13px ${this.frame.theme.mono}`;
  }

  /** Where the items stand; `wide` is the width of all if one alone is wider than the room, or 0. */
  #places() {
    const { examples, timesteps } = this.state.layer;
    const most = Math.min(MOST_CHARACTERS * CHARACTER, this.view.width * MOST_SHARE);
    const lead = Math.ceil(Math.min(this.#lead, most)) + (this.#lead ? 4 : 0);
    const timed = this.state.layer.times && !this.state.layer.tokens;
    const room = this.view.width - 2 * EDGE - lead;
    const square = timed ? clamp(Math.floor(room / timesteps), NARROWEST, SQUARE) : SQUARE;
    const width = lead + timesteps * square;
    const { across, rows, pitch } = wrap(
      examples,
      width + APART,
      this.view.width - 2 * EDGE + APART,
    );
    const wide = width + 2 * EDGE > this.view.width ? width + 2 * EDGE : 0;
    const above = timed && this.state.layer.times?.shared && across === 1 ? TIMES : ABOVE;
    const height = above + rows * this.#row + ABOVE;
    return { lead, square, above, across, rows, pitch, wide, height };
  }

  /**
   * What stands before the tokens of an example; undefined if it is not known yet.
   * @param {import("../../data/source.js").AnySource} source
   * @param {number} example
   */
  #before(source, example) {
    const { labels, tokens, timesteps } = source.layer;
    if (!labels) return String(example);
    const label = source.label(example);
    if (label === undefined || !tokens) return label;
    const align = this.state.model.get("align");
    // Aligned to what they predict, all tokens but the first are there.
    const count = align === "predict" ? timesteps - 1 : timesteps;
    const text = before(label, count, (t) => shownToken(source, example * timesteps + t, align));
    return text && visible(text);
  }

  #arrange() {
    const { source, state } = { source: this.frame.source, state: this.state };
    if (!source) return;
    const { examples, timesteps } = source.layer;
    const sort = state.model.get("sort");
    const byValue = sort === "value";
    const cell = state.model.get("cell");
    const timestep = state.model.get("timestep");
    // Values that are on their way sort by what the overview knows; once they are here, again.
    const wanted = [source.ordered, sort, ...(byValue ? [cell, timestep] : [])];
    // From one variant to the next, rows stay where they are.
    if (this.#wanted.changed(wanted) || !this.#sorting) this.#sorting = source;
    const { columns } = source;
    const by = this.#sorting;
    const blocks = byValue
      ? Array.from({ length: Math.ceil(columns / BLOCK) }, (_, b) => by.tile(0, b, cell))
      : [];
    const key = [...wanted, ...blocks];
    if (!this.#arranged.changed(key)) return;
    this.#order = Int32Array.from({ length: examples }, (_, example) => example);
    if (byValue) {
      const value = Float32Array.from(this.#order, (example) => {
        const column = example * timesteps + timestep;
        return by.exact(cell, column) ?? codeAt(by, cell, column);
      });
      const key = (/** @type {number} */ example) =>
        Number.isNaN(value[example]) ? -Infinity : value[example];
      this.#order.sort((a, b) => (key(a) === key(b) ? a - b : key(b) > key(a) ? 1 : -1));
    }
    this.#rankOf = new Int32Array(examples);
    this.#order.forEach((example, rank) => {
      this.#rankOf[example] = rank;
    });
  }

  paint() {
    const { model } = this.state;
    const { source, colours, theme } = this.frame;
    this.sort.update(SORTS, model.get("sort"));
    if (!source || !colours) return;
    this.#arrange();
    const nothing = source.columns * source.layer.cells === 0 ? NOTHING_RECORDED : "";
    write(this.empty, nothing);
    if (this.view.width <= 0) return;
    this.#measure(source);
    let places = this.#places();
    const { style } = this.scroller;
    const { overflowX } = style;
    style.overflowX = places.wide ? "auto" : "hidden";
    if (overflowX !== style.overflowX) this.resize();
    const bar = places.wide ? this.scroller.offsetHeight - this.scroller.clientHeight : 0;
    this.view.grow(Math.min(places.height, MOST_HEIGHT) + bar);
    places = this.#places();
    this.view.stretch(places.wide, places.height);
    if (this.#restart) this.view.top = 0;
    else if (this.#reveal || this.view.displaced) this.#show(places);
    this.#reveal = this.#restart = false;
    const context = this.view.prepare();
    if (!context) return;
    context.fillStyle = theme.colour.bg;
    context.fillRect(0, 0, this.view.width, this.view.height);
    context.font = this.#font();
    context.textBaseline = "middle";
    const { top, left: side } = this.view;
    const first = Math.max(0, Math.floor((top - places.above) / this.#row)) * places.across;
    const stop = Math.min(
      this.#order.length,
      Math.ceil((top + this.view.height) / this.#row) * places.across,
    );
    for (let rank = first; rank < stop; rank++) {
      const x = EDGE + (rank % places.across) * places.pitch;
      const y = places.above + Math.floor(rank / places.across) * this.#row - top;
      const { lead, square } = places;
      this.#example(context, this.#order[rank], { x, y, lead, square, side });
    }
    if (places.above === TIMES) {
      context.fillStyle = theme.colour.bg;
      context.fillRect(0, 0, this.view.width, TIMES);
      const columns = new Columns(1, source.layer.timesteps, places.square);
      const place = { columns, gutter: EDGE + places.lead, left: side, width: this.view.width };
      const scene = { source, theme, column: model.get("timestep") };
      drawTimeRuler(context, scene, { ...place, top: 4, bottom: TIMES - 2 });
    }
  }

  /**
   * The widest label decides where the squares start, the same for all.
   * @param {import("../../data/source.js").AnySource} source
   */
  #measure(source) {
    const { layer } = source;
    if (this.#measured.changed([layer, this.state.model.get("align")])) {
      this.#lead = layer.labels ? 0 : String(layer.examples - 1).length * CHARACTER;
      const count = layer.labels ? Math.min(layer.examples, MEASURED) : 0;
      this.#unmeasured = Array.from({ length: count }, (_, example) => example);
    }
    const context = this.view.canvas.getContext("2d");
    if (this.#unmeasured.length === 0 || !context) return;
    const known = this.#lead;
    context.font = this.#font();
    this.#unmeasured = this.#unmeasured.filter((example) => {
      const text = this.#before(source, example);
      if (text === undefined) return true;
      const start = firstOf(text, MOST_CHARACTERS);
      const width = Math.max([...start].length * CHARACTER, context.measureText(start).width);
      this.#lead = Math.max(this.#lead, width);
      return false;
    });
    // What was in view may have been pushed out of it.
    if (this.#lead !== known) this.#reveal = true;
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {number} example
   * @param {{x: number, y: number, lead: number, square: number, side: number}} place where it begins,
   *   how wide its squares are, and how far they are scrolled to the side; the label stays where it is
   */
  #example(context, example, { x, y, lead, square, side }) {
    const { source, colours, theme } = this.frame;
    if (!source || !colours) return;
    const { model } = this.state;
    const cell = model.get("cell");
    const align = model.get("align");
    const { timesteps, tokens } = source.layer;
    const selected = model.get("example") === example;
    const middle = y + ROW / 2;
    context.textAlign = "center";
    const start = Math.floor(side / square);
    const stop = Math.min(timesteps, Math.ceil((side + this.view.width - x - lead) / square));
    const seen = square < LINED ? square : square - 1;
    for (let t = start; t < stop; t++) {
      const column = example * timesteps + t;
      // By its code, as everywhere: exact values are asked for one stretch at a time, to be read.
      const code = codeAt(source, cell, column);
      let colour = colours.row(cell)[code];
      let mark = colours.marks(cell)[code];
      if (source.padding(column)) {
        mark = PADDING;
        colour = colours.pattern(PADDING, colour, 1, 1);
      }
      const left = x + lead + t * square - side;
      context.fillStyle = css(colour);
      context.fillRect(left, y + 3, seen, ROW - 6);
      context.fillStyle = css(ink(colour));
      if (mark === IS_NAN || mark === CLIPPED) {
        // The same slant as in the grid: what is drawn here is no plain value.
        context.strokeStyle = css(ink(colour));
        context.lineWidth = mark === IS_NAN ? 2 : 1;
        context.beginPath();
        context.moveTo(left + 1, y + ROW - 4);
        context.lineTo(left + seen - 1, y + 4);
        context.stroke();
      }
      // After the last, the one that it predicts is not known; others may be on their way.
      const token = shownToken(source, column, align);
      const unknown = tokens && align === "predict" && t === timesteps - 1 ? "?" : "";
      const text = token === undefined ? unknown : source.spelling.label(token.slice(0, BEGINNING));
      context.fillText(firstOf(text, 2), left + seen / 2, middle + 0.5);
      const chosen = selected && model.get("timestep") === t;
      if (selected && (chosen || square >= LINED)) {
        context.strokeStyle = chosen ? theme.colour.fg : theme.colour.muted;
        context.lineWidth = chosen ? 2 : 1;
        context.strokeRect(left - 0.5, y + 2.5, square, ROW - 5);
      }
    }
    if (selected && square < LINED) {
      context.strokeStyle = theme.colour.muted;
      context.lineWidth = 1;
      const left = x + lead + start * square - side;
      context.strokeRect(left - 0.5, y + 2.5, (stop - start) * square, ROW - 5);
    }
    const { tracks } = this.state;
    /** @type {[number, number, number, number][]} */
    const places = [];
    for (let t = start; t < (tracks.length ? stop : 0); t++) {
      const at = shownColumn(source.layer, example * timesteps + t, align);
      const left = x + lead + t * square - side;
      if (at !== undefined) places.push([left, left + seen, at, at + 1]);
    }
    drawBands(context, { source, theme, tracks }, places, { y: y + ROW - 2, ...BAND });
    if (side > 0) {
      context.fillStyle = theme.colour.bg;
      context.fillRect(0, y, x + lead - 2, this.#row);
    }
    context.textAlign = "right";
    context.fillStyle = selected ? theme.colour.fg : theme.colour.muted;
    const measure = (/** @type {string} */ text) => context.measureText(text).width;
    const label = cut(this.#before(source, example) ?? "", lead - 4, measure);
    context.fillText(label, x + lead - 4, middle + 0.5);
  }

  /** @param {{across: number, lead: number, square: number, above: number, wide: number}} places */
  #show(places) {
    const rank = this.#rankOf[this.state.model.get("example")] ?? 0;
    const y = Math.floor(rank / places.across) * this.#row;
    const top = this.view.top;
    if (y < top) this.view.top = y;
    else if (y + this.#row + places.above + ABOVE > top + this.view.height)
      this.view.top = y + this.#row + places.above + ABOVE - this.view.height;
    if (!places.wide) return this.view.reveals();
    const { square } = places;
    const left = this.state.model.get("timestep") * square;
    const room = this.view.width - 2 * EDGE - places.lead;
    const side = this.view.left;
    if (left < side) this.view.left = left;
    else if (left + square > side + room) this.view.left = left + square - room;
    this.view.reveals();
  }

  /** Which column is under the pointer. @param {MouseEvent} event */
  #under(event) {
    const { source } = this.frame;
    if (!source || source.columns === 0) return undefined;
    const places = this.#places();
    const box = this.scroller.getBoundingClientRect();
    const [atX, atY] = [event.clientX - box.left, event.clientY - box.top];
    // On a scroll bar is nothing.
    if (atX >= this.view.width || atY >= this.view.height) return undefined;
    const x = atX - EDGE;
    const y = atY - places.above + this.view.top;
    const across = Math.floor(x / places.pitch);
    if (x < 0 || y < 0 || across >= places.across) return undefined;
    const example = this.#order[Math.floor(y / this.#row) * places.across + across];
    if (example === undefined) return undefined;
    const along = x - across * places.pitch - places.lead;
    const t = Math.floor((along < 0 ? along : along + this.view.left) / places.square);
    const { timesteps } = source.layer;
    if (t >= timesteps) return undefined;
    // On the label: the example, at the timestep that is selected anyway.
    return example * timesteps + (t < 0 ? this.state.model.get("timestep") : t);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const { model } = this.state;
    const { timesteps, examples } = this.state.layer;
    const { across } = this.#places();
    const rank = this.#rankOf[model.get("example")] ?? 0;
    const timestep = model.get("timestep");
    const go = (/** @type {number} */ to, t = timestep) => {
      const example = this.#order[clamp(to, 0, examples - 1)];
      this.state.select(example * timesteps + t, this.frame);
    };
    const side = (/** @type {number} */ step) => {
      const t = timestep + step;
      if (t >= 0 && t < timesteps) go(rank, t);
      else if (rank + step >= 0 && rank + step < examples)
        go(rank + step, step > 0 ? 0 : timesteps - 1);
    };
    /** @type {Record<string, () => void>} */
    const keys = {
      ArrowLeft: () => side(-1),
      ArrowRight: () => side(1),
      ArrowUp: () => rank >= across && go(rank - across),
      ArrowDown: () => rank + across < examples && go(rank + across),
      Home: () => go(0),
      End: () => go(examples - 1),
      PageUp: () => go(rank - 10 * across),
      PageDown: () => go(rank + 10 * across),
    };
    press(event, keys);
  }
}
