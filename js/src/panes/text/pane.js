// One cell, or some, over the running text, wrapped as it was written.

import { drawBands } from "../../canvas/bands.js";
import { gestures } from "../../canvas/gestures.js";
import { Glyphs } from "../../canvas/glyphs.js";
import { EDGE, ROW, TextSheet } from "../../canvas/text_sheet.js";
import { PADDING, PLAIN } from "../../colour/colours.js";
import { ink, mix } from "../../colour/palettes.js";
import { guessesAndTruth } from "../../data/guesses.js";
import { cellName, cellNumber } from "../../data/layer.js";
import { codeAt } from "../../data/source.js";
import { clamp } from "../../lib/clamp.js";
import { div, element, listen, write } from "../../lib/dom.js";
import { press } from "../../lib/keyboard.js";
import { NOTHING_RECORDED } from "../../lib/wording.js";
import { smallButton, tick } from "../../ui/controls.js";
import { GuessList } from "../../ui/guess_list.js";
import { GuessRows, ROOM_FOR_GUESSES } from "./guess_rows.js";

/** Between two lines. */
const APART = 2;
const FURTHER_APART = 9;
/** A concept track under a line. */
const BAND = { height: 4, pitch: 5 };
const MOST_HEIGHT = 420;
/** What cells are called at the left of their rows. */
const GUTTER_LETTERS = 11;
const MOVES = new Set(["example", "timestep", "layer"]);

/** @type {import("../../ui/keys.js").Key[]} */
const KEYS = [
  ["← →", "the token before, after"],
  ["↑ ↓", "the line above, below"],
  ["Shift_← Shift_→", "chooses a span of tokens"],
  ["Home End", "the ends of the line; with Ctrl, of the text"],
  ["PageUp PageDown", "further up, down"],
  ["[ ]", "the cell before, after"],
  ["p", "pins the cell: its row stays while others are looked at"],
  ["drag", "chooses a span of tokens"],
];

/** @typedef {import("../../ui/frame.js").Frame} Frame */
/** @typedef {import("../../data/source.js").AnySource} AnySource */
/** @typedef {import("../../colour/colours.js").Colours} Colours */
/** @typedef {import("../../canvas/text_sheet.js").Line} Line */

export class TextPane {
  called = "text";
  keys = KEYS;
  #reveal = true;
  /** Where the pointer rests; not while keys are used. @type {PointerEvent | undefined} */
  #pointer;

  #names = new Glyphs();

  /** @param {Frame} frame */
  constructor(frame) {
    this.frame = frame;
    const { state } = frame;
    this.state = state;
    const set = state.setter(frame);
    this.marks = tick("marks", set("marks"), "Show newlines, tabs and spaces as marks.");
    this.guesses = tick(
      "top guesses",
      set("guesses"),
      "Show under each token what the model held for most probable to come next.",
    );
    this.pin = smallButton("pin", "", () => this.#pin());
    this.pin.classList.add("lw-pin");
    this.told = element("span");
    this.caption = div("lw-caption", [
      this.told,
      div("lw-caption-tools", [this.guesses.root, this.marks.root, this.pin]),
    ]);
    this.sheet = new TextSheet(
      "A cell over the text. Left and right go through the timesteps, up and down through the " +
        "lines, shift with left and right chooses a span, [ and ] go through the cells; p pins the cell.",
      () => frame.schedule(),
    );
    this.scroller = this.sheet.root;
    this.rows = new GuessRows(this.sheet);
    this.empty = div("lw-empty");
    this.list = new GuessList();
    this.menus = [];
    this.tools = [];
    this.body = [this.caption, this.scroller, this.empty, this.list.root];
    this.#listen();
  }

  #listen() {
    const { scroller, frame } = this;
    listen(scroller, "keydown", (event) => this.#press(event));
    let from = 0;
    gestures(scroller, {
      press: (event) => {
        const under = this.#under(event);
        if (!under) return false;
        this.#select(under);
        from = under.column ?? 0;
        return under.column !== undefined;
      },
      drag: (event) => {
        const to = this.#under(event)?.column ?? this.state.column;
        if (to === this.state.column) return;
        this.state.brush(from, to, frame);
      },
    });
    listen(scroller, "pointermove", (event) => {
      this.#pointer = event;
      frame.schedule();
    });
    listen(scroller, "pointerleave", () => {
      this.#pointer = undefined;
      frame.schedule();
    });
  }

  destroy() {
    this.sheet.destroy();
  }

  /** What is under the pointer now, also if text or cell changed while it rested. */
  get hovered() {
    const { cell = this.state.model.get("cell"), column } =
      (this.#pointer && this.#under(this.#pointer)) ?? {};
    return column === undefined ? undefined : { cell, column };
  }

  /** @param {Set<string>} names */
  changed(names) {
    if (this.frame.follows(names, MOVES)) this.#reveal = true;
  }

  resize() {
    this.sheet.view.resize();
  }

  // -- what is shown ---------------------------------------------------------------------------

  /** The pinned cells that there are, and the selected one. */
  get #cells() {
    const { model, layer } = this.state;
    const cell = model.get("cell");
    const pinned = /** @type {number[]} */ (model.get("cells")).filter((c) => c < layer.cells);
    return pinned.includes(cell) ? pinned : [cell, ...pinned];
  }

  get #predict() {
    return this.state.model.get("align") === "predict";
  }

  /** How many guesses stand under a token. */
  get #ranks() {
    return this.state.model.get("guesses") ? (this.state.layer.predictions ?? 0) : 0;
  }

  /** What a line has room for. @returns {import("../../canvas/text_sheet.js").Lines} */
  get #lines() {
    const { layer, tracks } = this.state;
    const rows = this.#cells.length;
    const below = tracks.length * BAND.pitch + GuessRows.height(this.#ranks);
    const widest = cellNumber(layer, Math.max(0, layer.cells - 1)).length;
    return {
      rows,
      below,
      apart: rows > 1 || below ? FURTHER_APART : APART,
      left: EDGE + (rows > 1 ? 7 * widest + 10 : 0),
    };
  }

  /** Lay the text out anew if anything has changed that it hangs on. @param {AnySource} source */
  #arrange(source) {
    const { model } = this.state;
    const guesses = this.#ranks > 0;
    this.sheet.arrange(source.passage(model.get("example")), {
      theme: this.frame.theme,
      spelling: source.spelling,
      marks: model.get("marks"),
      after: this.#predict,
      most: MOST_HEIGHT,
      lines: this.#lines,
      wider: guesses ? 2 : 0,
      least: guesses && source.spelling.apart ? ROOM_FOR_GUESSES : 0,
      kept: this.#boxOf(model.get("timestep")),
    });
  }

  /** The box in which a timestep's value stands; -1 if it is not there yet. @param {number} timestep */
  #boxOf(timestep) {
    const box = timestep + (this.#predict ? 1 : 0);
    return box < this.sheet.count ? box : -1;
  }

  /** The timestep whose value a box shows; -1 if it shows none. @param {number} box */
  #timestepOf(box) {
    return box - (this.#predict ? 1 : 0);
  }

  paint() {
    const { model, layer } = this.state;
    const { source, colours } = this.frame;
    this.marks.update(model.get("marks"));
    this.guesses.root.hidden = !layer.predictions;
    this.guesses.update(model.get("guesses"));
    const cell = model.get("cell");
    const pinned = model.get("cells").includes(cell);
    const pin = `${pinned ? "unpin" : "pin"} cell ${cell}`;
    if (this.pin.textContent !== pin) {
      this.pin.textContent = pin;
      this.pin.setAttribute("aria-label", pin);
      this.pin.title = pinned
        ? "remove its row (p)"
        : "keep its row while others are looked at (p)";
    }
    if (!source || !colours) return;
    const nothing = source.columns * layer.cells === 0 ? NOTHING_RECORDED : "";
    write(this.empty, nothing);
    this.scroller.hidden = nothing !== "";
    this.#tell(source);
    const { view } = this.sheet;
    if (nothing || view.width <= 0) return;
    this.#arrange(source);
    if (this.#reveal || view.displaced) this.#show();
    this.#draw(source, colours);
    this.list.update(guessesAndTruth(source, this.state.column), Boolean(layer.predictions));
  }

  /** The caption: what is seen here, and how to read it. @param {AnySource} source */
  #tell(source) {
    const { state } = this;
    const cells = this.#cells;
    const name = cells.length > 1 ? `cells ${cells.join(", ")}` : cellName(state.layer, cells[0]);
    const parts = [
      this.#predict
        ? " over the text: each token coloured by the state that predicts it"
        : " over the text: each token coloured by the state after reading it",
    ];
    if (!state.layer.tokens) {
      const times = source.times(state.model.get("example"));
      parts[0] = times
        ? ` from ${times.say(0)} to ${times.label(times.count - 1)}, line after line; SeriesPlot draws it along a time axis`
        : " over the timesteps; tokens were not recorded";
    }
    if (this.#ranks) {
      const stronger = this.frame.theme.dark ? "the brighter" : "the darker";
      parts.push(
        `below it the top ${this.#ranks} guesses for ` +
          `${this.#predict ? "this token" : "the token after it"}, ${stronger} the more probable, ` +
          "the correct one framed",
      );
    }
    const { known, codes } = source.passage(state.model.get("example"));
    if (known < codes.length) parts.push(`${known} of ${codes.length} tokens are loaded`);
    const text = parts.join("; ");
    if (this.told.textContent === name + text) return;
    this.told.replaceChildren(element("b", {}, [name]), text);
  }

  /** Bring the selected token into view. */
  #show() {
    const box = this.#boxOf(this.state.model.get("timestep"));
    if (box < 0) return; // on its way
    this.#reveal = false;
    const { view } = this.sheet;
    const to = this.sheet.reveal(box);
    if (to !== view.top) view.top = to;
    view.reveals();
  }

  // -- drawing ---------------------------------------------------------------------------------

  /**
   * @param {AnySource} source
   * @param {Colours} colours
   */
  #draw(source, colours) {
    const { theme } = this.frame;
    const { tracks } = this.state;
    const cells = this.#cells;
    const size = GUTTER_LETTERS * (window.devicePixelRatio || 1);
    this.#names.use(`${size}px ${theme.font}`, size);
    this.rows.begin(theme);
    const scene = { source, theme, columnOf: this.#columnOf };
    this.sheet.draw(theme, source.passage(this.state.model.get("example")), {
      rows: cells.map((cell) => this.#looks(source, colours, cell)),
      outlines: this.#outlines(),
      image: (line) => {
        if (cells.length > 1) {
          for (const [row, cell] of cells.entries()) this.#name(line, cell, row);
        }
        if (this.#ranks) this.rows.image(line, line.below + tracks.length * BAND.pitch, scene);
      },
      over: (context, line) => {
        this.#bands(context, line, source);
        this.#span(context, line);
        this.rows.over(context, theme);
      },
    });
  }

  /** The column whose value a box shows; -1 if it shows none. */
  get #columnOf() {
    const shift = this.#predict ? 1 : 0;
    const offset = this.#offset - shift;
    return (/** @type {number} */ box) => (box < shift ? -1 : offset + box);
  }

  /** The first column of the example. */
  get #offset() {
    return this.state.model.get("example") * this.state.layer.timesteps;
  }

  /**
   * How the tokens look on the colours of a cell.
   * @param {AnySource} source
   * @param {Colours} colours
   * @param {number} cell
   * @returns {(box: number) => import("../../canvas/text_sheet.js").Look}
   */
  #looks(source, colours, cell) {
    const { background, foreground } = this.frame.theme;
    const pixels = colours.row(cell);
    const marks = colours.marks(cell);
    const columnOf = this.#columnOf;
    return (box) => {
      const column = columnOf(box);
      if (column < 0) return { colour: background, mark: PLAIN, ink: foreground };
      const code = codeAt(source, cell, column);
      const colour = pixels[code];
      if (!source.padding(column)) return { colour, mark: marks[code], ink: ink(colour) };
      return { colour, mark: PADDING, ink: ink(colours.pattern(PADDING, colour, 1, 1)) };
    };
  }

  /**
   * The concept tracks of a line's tokens, wherever their values stand.
   * @param {CanvasRenderingContext2D} context
   * @param {Line} line
   * @param {AnySource} source
   */
  #bands(context, { start, stop, place, below }, source) {
    const { tracks, layer } = this.state;
    const offset = this.#offset;
    /** @type {[number, number, number, number][]} */
    const places = [];
    for (let box = start; box < Math.min(stop, layer.timesteps); box++) {
      const [x, width] = place(box);
      places.push([x, x + width, offset + box, offset + box + 1]);
    }
    const { theme } = this.frame;
    drawBands(context, { source, theme, tracks }, places, { y: below + 1, ...BAND });
  }

  /**
   * What of the span that is chosen is in a line.
   * @param {CanvasRenderingContext2D} context
   * @param {Line} line
   */
  #span(context, { start, stop, place, y, turned }) {
    const [from, to] = this.state.span ?? [-1, -1];
    const offset = this.#offset - (this.#predict ? 1 : 0);
    const first = Math.max(from - offset, start);
    const last = Math.min(to - offset, stop) - 1;
    if (first > last) return;
    context.fillStyle = this.frame.theme.colour.accent;
    if (turned) {
      for (let box = first; box <= last; box++) {
        const [x, width] = place(box);
        context.fillRect(x, y - 3, width, 2);
      }
      return;
    }
    const [left] = place(first);
    const [x, width] = place(last);
    context.fillRect(left, y - 3, x + width - left, 2);
  }

  /**
   * A cell's number before its row.
   * @param {Line} line
   * @param {number} cell
   * @param {number} row
   */
  #name({ pixels, ratio, y }, cell, row) {
    const { foreground, background } = this.frame.theme;
    const selected = cell === this.state.model.get("cell");
    const glyph = this.#names.of(cellNumber(this.state.layer, cell));
    if (!glyph) return;
    const x = Math.round((this.#lines.left - 6) * ratio) - glyph.width;
    const middle = Math.round((y + this.sheet.rowTop(row) + ROW / 2) * ratio);
    const top = middle - (glyph.height >> 1);
    const colour = selected ? foreground : mix(background, foreground, 0.62);
    pixels.stamp(glyph, x, top, colour);
    // Heavier, without a font of its own.
    if (selected) pixels.stamp(glyph, x + 1, top, colour);
  }

  /** The frames around what is selected and what is under the pointer. */
  #outlines() {
    const { model, layer } = this.state;
    const cells = this.#cells;
    const box = this.#boxOf(model.get("timestep"));
    /** @type {import("../../canvas/text_sheet.js").Outline[]} */
    const outlines = [{ box, thick: 2, row: cells.indexOf(model.get("cell")) }];
    if (cells.length > 1) outlines.unshift({ box, thick: 1 });
    const { hovered } = this;
    if (hovered && Math.floor(hovered.column / layer.timesteps) === model.get("example")) {
      const row = cells.indexOf(hovered.cell);
      outlines.push({ box: this.#boxOf(hovered.column % layer.timesteps), thick: 1, row });
    }
    return outlines;
  }

  // -- mouse and keys --------------------------------------------------------------------------

  /**
   * What is under the pointer: a cell's number, or a token in the row of a cell.
   * @param {MouseEvent} event
   * @returns {{cell?: number, column?: number} | undefined}
   */
  #under(event) {
    const at = this.sheet.at(event);
    if (!at) return undefined;
    const { box, row, before } = at;
    const cells = this.#cells;
    const cell = cells[row];
    if (before) return cells.length > 1 ? { cell } : undefined;
    const column = this.#columnOf(box);
    this.scroller.title = box < 0 || column >= 0 ? "" : "no state precedes the first token";
    if (box === this.frame.source?.layer.timesteps)
      this.scroller.title = "the next token is unknown";
    if (box < 0 || column < 0) return undefined;
    return cell === undefined ? { column } : { cell, column };
  }

  /** @param {{cell?: number, column?: number}} what */
  #select({ cell, column = this.state.column }) {
    this.state.select(column, this.frame, cell === undefined ? {} : { cell });
  }

  /** Pin the selected cell, or take its pin away. */
  #pin() {
    const { model } = this.state;
    const cell = model.get("cell");
    const cells = /** @type {number[]} */ (model.get("cells"));
    const others = cells.filter((c) => c !== cell);
    this.state.set({ cells: others.length < cells.length ? others : [...cells, cell] }, this.frame);
  }

  /** Select the token of a box, or the nearest that has a value. @param {number} box */
  #go(box) {
    const { model, layer } = this.state;
    const timestep = clamp(this.#timestepOf(box), 0, layer.timesteps - 1);
    this.state.select(model.get("example") * layer.timesteps + timestep, this.frame);
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    const { sheet } = this;
    if (sheet.count === 0) return;
    const { model, layer } = this.state;
    const box = this.#boxOf(model.get("timestep"));
    const cell = (/** @type {number} */ step) => {
      const to = clamp(model.get("cell") + step, 0, layer.cells - 1);
      this.state.set({ cell: to }, this.frame);
    };
    const side = (/** @type {number} */ step) =>
      event.shiftKey ? this.state.extend(step, this.frame) : this.#go(box + step);
    const forward = sheet.rtl(Math.max(0, box)) ? -1 : 1;
    const to = sheet.moved(event.key, box, event.ctrlKey || event.metaKey);
    this.#pointer = undefined;
    press(
      event,
      {
        ArrowLeft: () => side(-forward),
        ArrowRight: () => side(forward),
        "[": () => cell(-1),
        "]": () => cell(1),
        p: () => this.#pin(),
        ...(to === undefined ? {} : { [event.key]: () => this.#go(to) }),
      },
      ["Home", "End"],
    );
  }
}
