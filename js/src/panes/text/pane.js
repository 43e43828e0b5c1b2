// One cell, or some, over the running text, wrapped as it was written.

import { drawBands } from "../../canvas/bands.js";
import { gestures } from "../../canvas/gestures.js";
import { Glyphs, stamp } from "../../canvas/glyphs.js";
import { Ruler } from "../../canvas/ruler.js";
import { Scroller } from "../../canvas/scroller.js";
import { drawRun, Shaper } from "../../canvas/shaper.js";
import { PADDING, PLAIN } from "../../colour/colours.js";
import { ink, mix } from "../../colour/palettes.js";
import { BLOCK } from "../../data/codes.js";
import { guessesAndTruth, guessesAt } from "../../data/guesses.js";
import { cellName, cellNumber } from "../../data/layer.js";
import { TextLayout } from "../../layout/text_layout.js";
import { div, element, listen } from "../../lib/dom.js";
import { press } from "../../lib/keyboard.js";
import { smallButton, tick } from "../../ui/controls.js";
import { GuessList } from "../../ui/guess_list.js";

/** A token's box, and the size of its letters. */
const ROW = 19;
const LETTERS = 13;
/** The same of a guess. */
const GUESS_ROW = 14;
const GUESS_LETTERS = 11;
/** The least width of a word with guesses under it. */
const ROOM_FOR_GUESSES = 52;
/** Between two rows of a line, and between two lines. */
const SEAM = 1;
const APART = 2;
const FURTHER_APART = 9;
/** A concept track under a line. */
const BAND = { height: 4, pitch: 5 };
const EDGE = 12;
const TOP = 6;
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
/** @typedef {import("../../canvas/shaper.js").Run} Run */

/**
 * What a probability is drawn on: the further from the background, the larger it is.
 * @param {import("../../colour/theme.js").Theme} theme
 * @param {number} probability
 */
function shade({ background, foreground }, probability) {
  return mix(background, foreground, 0.06 + 0.74 * probability);
}

export class TextPane {
  called = "text";
  keys = KEYS;
  #reveal = true;
  /** @type {TextLayout | undefined} */
  #layout;
  #key = /** @type {unknown[]} */ ([]);
  /** Where up and down lead, while one goes on with them. @type {number | undefined} */
  #goal;
  /** Where the pointer rests; not while keys are used. @type {PointerEvent | undefined} */
  #pointer;

  #image = new ImageData(1, 1);
  #pixels = new Uint32Array(1);
  #letters = new Glyphs();
  #guessed = new Glyphs();
  #bold = new Glyphs();
  #names = new Glyphs();
  #ruler = new Ruler();

  /** @param {Frame} frame */
  constructor(frame) {
    this.frame = frame;
    const { state } = frame;
    this.state = state;
    const set = (/** @type {string} */ name) => (/** @type {unknown} */ value) =>
      state.set({ [name]: value }, frame);
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
    this.view = new Scroller(
      "lw-text",
      "text",
      "A cell over the text. Left and right go through the timesteps, up and down through the " +
        "lines, shift with left and right chooses a span, [ and ] go through the cells; p pins the cell.",
      () => frame.schedule(),
    );
    this.scroller = this.view.root;
    this.shaper = new Shaper(this.scroller);
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
        this.#goal = undefined;
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
    this.view.destroy();
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
    this.view.resize();
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

  /** Lengths of a line, of all that stands in it. */
  get #lengths() {
    const rows = this.#cells.length;
    const guesses = this.#ranks * GUESS_ROW + (this.#ranks ? 2 : 0);
    const coloured = rows * (ROW + SEAM) - SEAM;
    const bands = this.state.tracks.length * BAND.pitch;
    const apart = rows > 1 || guesses || bands ? FURTHER_APART : APART;
    const widest = cellNumber(this.state.layer, Math.max(0, this.state.layer.cells - 1)).length;
    const gutter = rows > 1 ? 7 * widest + 10 : 0;
    const pitch = coloured + bands + guesses + apart;
    return { coloured, bands, guesses, pitch, left: EDGE + gutter };
  }

  /** Lay the text out anew if anything has changed that it hangs on. */
  #arrange() {
    const { state, frame } = this;
    const source = /** @type {AnySource} */ (frame.source);
    const passage = source.passage(state.model.get("example"));
    const { spelling } = source;
    const { left, pitch } = this.#lengths;
    const marks = state.model.get("marks");
    const width = this.view.width - left - EDGE;
    const after = this.#predict && passage.known === passage.codes.length;
    const { mono } = frame.theme;
    const key = [passage, passage.known, marks, width, after, mono, pitch, this.#ranks];
    if (key.every((part, i) => part === this.#key[i])) return;
    const anchor = this.#anchor(passage === this.#key[0]);
    this.#key = key;
    this.#ruler.use(mono);
    const character = Math.round(this.#ruler.measure("0", LETTERS)) + (this.#ranks ? 2 : 0);
    this.#layout = new TextLayout(passage, {
      width,
      character,
      least: spelling.apart && this.#ranks ? ROOM_FOR_GUESSES : character,
      measure: (text) => this.#ruler.measure(text, LETTERS),
      marks,
      spelling,
      after,
      places: (pieces, rtl) => this.shaper.places(pieces, rtl, `${LETTERS}px ${mono}`),
    });
    const height = this.#layout.lines * pitch + 2 * TOP;
    this.view.stretch(0, height);
    this.view.grow(Math.min(height, MOST_HEIGHT));
    if (anchor) {
      const line = this.#layout.lineOf(Math.min(anchor.box, this.#layout.count - 1));
      this.view.top = TOP + line * pitch - anchor.offset;
    }
  }

  /**
   * What is to stay where it is when lines change: the selected token if it is in view, else the first.
   * @param {boolean} same whether it is still the same text
   */
  #anchor(same) {
    const layout = this.#layout;
    const pitch = /** @type {number} */ (this.#key[6]);
    if (!layout || !same) return undefined;
    const top = this.view.top;
    const selected = this.#boxOf(this.state.model.get("timestep"));
    const y = TOP + layout.lineOf(selected) * pitch - top;
    if (selected >= 0 && y > -pitch && y < this.view.height) return { box: selected, offset: y };
    const line = Math.min(layout.lines - 1, Math.max(0, Math.floor((top - TOP) / pitch)));
    return { box: layout.starts[line], offset: TOP + line * pitch - top };
  }

  /** The box in which a timestep's value stands; -1 if it is not there yet. @param {number} timestep */
  #boxOf(timestep) {
    const box = timestep + (this.#predict ? 1 : 0);
    return this.#layout && box < this.#layout.count ? box : -1;
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
        ? "let go of its row (p)"
        : "keep its row while others are looked at (p)";
    }
    if (!source || !colours) return;
    const nothing =
      source.columns * layer.cells === 0 ? "Nothing to show: no timestep was recorded." : "";
    if (this.empty.textContent !== nothing) this.empty.textContent = nothing;
    this.scroller.hidden = nothing !== "";
    this.#tell(source);
    if (nothing || this.view.width <= 0) return;
    this.#arrange();
    if (this.#reveal || this.view.displaced) this.#show();
    this.#draw();
    this.list.update(guessesAndTruth(source, this.state.column), Boolean(layer.predictions));
  }

  /** The caption: what is seen here, and how to read it. @param {AnySource} source */
  #tell(source) {
    const { state } = this;
    const cells = this.#cells;
    const name = cells.length > 1 ? `cells ${cells.join(", ")}` : cellName(state.layer, cells[0]);
    const parts = [
      this.#predict
        ? " over the text: each token on the colour of the state that predicts it"
        : " over the text: each token on the colour of the state that has just read it",
    ];
    if (!state.layer.tokens) parts[0] = " over the timesteps; tokens were not recorded";
    if (this.#ranks) {
      const stronger = this.frame.theme.dark ? "the brighter" : "the darker";
      parts.push(
        `under it the top ${this.#ranks} guesses for ` +
          `${this.#predict ? "this token" : "the token after it"}, ${stronger} the more probable, ` +
          "the right one in a frame",
      );
    }
    const { known, codes } = source.passage(state.model.get("example"));
    if (known < codes.length) parts.push(`${known} of ${codes.length} tokens are here so far`);
    const text = parts.join("; ");
    if (this.told.textContent === name + text) return;
    this.told.replaceChildren(element("b", {}, [name]), text);
  }

  /** Bring the selected token into view. */
  #show() {
    const layout = /** @type {TextLayout} */ (this.#layout);
    const box = this.#boxOf(this.state.model.get("timestep"));
    if (box < 0) return; // on its way
    this.#reveal = false;
    const { pitch } = this.#lengths;
    const y = TOP + layout.lineOf(box) * pitch;
    const top = this.view.top;
    if (y - TOP < top) this.view.top = y - TOP;
    else if (y + pitch > top + this.view.height) this.view.top = y + pitch - this.view.height;
    this.view.reveals();
  }

  // -- drawing: the boxes and letters into one image, outlines on top ------------------

  #draw() {
    const { theme } = this.frame;
    const layout = /** @type {TextLayout} */ (this.#layout);
    const ratio = window.devicePixelRatio || 1;
    const context = this.view.prepare();
    const { width, height } = this.view.canvas;
    if (!context || width <= 0 || height <= 0) return;
    if (this.#image.width !== width || this.#image.height !== height) {
      this.#image = new ImageData(width, height);
      this.#pixels = new Uint32Array(this.#image.data.buffer);
    }
    this.#pixels.fill(theme.background);
    this.#letters.use(`${LETTERS * ratio}px ${theme.mono}`, LETTERS * ratio);
    this.#names.use(`${GUTTER_LETTERS * ratio}px ${theme.font}`, GUTTER_LETTERS * ratio);
    this.#guessed.use(`${GUESS_LETTERS * ratio}px ${theme.mono}`, GUESS_LETTERS * ratio);
    this.#bold.use(`bold ${GUESS_LETTERS * ratio}px ${theme.mono}`, GUESS_LETTERS * ratio);
    const { pitch, coloured, bands, left } = this.#lengths;
    const top = this.view.top;
    const first = Math.max(0, Math.floor((top - TOP) / pitch));
    const stop = Math.min(layout.lines, Math.ceil((top - TOP + this.view.height) / pitch));
    /** @type {Run[]} */
    const runs = [];
    /** @type {[number, number, number, number][]} */
    const frames = [];
    const cells = this.#cells;
    const at = { ratio, left, runs, frames };
    for (let line = first; line < stop; line++) {
      layout.settle(line);
      const y = TOP + line * pitch - top;
      cells.forEach((cell, row) => {
        this.#row(line, cell, y + row * (ROW + SEAM), at);
        if (cells.length > 1) this.#name(cell, y + row * (ROW + SEAM), at);
      });
      if (this.#ranks) this.#guessRows(line, y + coloured + bands + 2, at);
    }
    context.putImageData(this.#image, 0, 0);
    for (let line = first; line < stop; line++) {
      const y = TOP + line * pitch - top;
      this.#bands(context, line, y + coloured + 1);
      this.#span(context, line, y - 3);
    }
    context.font = `${LETTERS}px ${theme.mono}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (const run of runs) drawRun(context, run, ROW);
    context.strokeStyle = theme.colour.fg;
    context.lineWidth = 1;
    for (const [x, y, w, h] of frames) context.strokeRect(x + 0.5, y + 0.5, w - 1, h - 1);
    this.#outlines(context);
  }

  /**
   * One cell over one line.
   * @param {number} line
   * @param {number} cell
   * @param {number} y
   * @param {{ratio: number, left: number, runs: Run[]}} at
   */
  #row(line, cell, y, { ratio, left, runs }) {
    const { frame } = this;
    const source = /** @type {AnySource} */ (frame.source);
    const colours = /** @type {import("../../colour/colours.js").Colours} */ (frame.colours);
    const layout = /** @type {TextLayout} */ (this.#layout);
    const { codes } = source.passage(this.state.model.get("example"));
    const offset = this.state.model.get("example") * source.layer.timesteps;
    const pixels = colours.row(cell);
    const marks = colours.marks(cell);
    const { width, height } = this.#image;
    const [y0, y1] = [Math.round(y * ratio), Math.round((y + ROW) * ratio)];
    const [top, bottom] = [Math.max(0, y0), Math.min(height, y1)];
    const whole = layout.settle(line);
    /** @type {Run | undefined} */
    const run = whole
      ? {
          text: whole,
          rtl: layout.rtl(line),
          x: left + layout.origin(line),
          y: y + ROW / 2,
          inks: new Map(),
        }
      : undefined;
    if (run) runs.push(run);
    for (let box = layout.starts[line]; box < layout.end(line); box++) {
      const x = left + layout.left[box];
      const x0 = Math.round(x * ratio);
      const x1 = Math.min(width, Math.round((x + layout.widths[box]) * ratio));
      const timestep = this.#timestepOf(box);
      let [colour, mark] = [frame.theme.background, PLAIN];
      if (timestep >= 0) {
        const column = offset + timestep;
        const tile = source.tile(0, Math.floor(column / BLOCK), cell);
        const code = tile ? tile[column % BLOCK] : source.coarse(cell, 0, column);
        colour = pixels[code];
        mark = source.padding(column) ? PADDING : marks[code];
      }
      for (let row = top; row < bottom; row++) {
        if (mark === PLAIN) this.#pixels.fill(colour, row * width + x0, row * width + x1);
        else {
          for (let i = x0; i < x1; i++) {
            this.#pixels[row * width + i] = colours.pattern(mark, colour, i, row);
          }
        }
      }
      const unknown = box === codes.length;
      const text = unknown ? "?" : layout.texts[codes[box]];
      if (run) {
        if (mark === PADDING) colour = colours.pattern(PADDING, colour, 1, 1);
        const paint = timestep < 0 ? frame.theme.foreground : ink(colour);
        const some = run.inks.get(paint) ?? [];
        run.inks.set(paint, some);
        some.push([x, layout.widths[box]]);
        continue;
      }
      if (text.trim() === "") continue;
      const middle = Math.round((y + ROW / 2) * ratio);
      if (mark === PADDING) colour = colours.pattern(PADDING, colour, 1, 1);
      const paint = timestep < 0 ? frame.theme.foreground : ink(colour);
      this.#stamp(
        this.#letters,
        this.#ruler.fit(text, layout.widths[box], LETTERS),
        x0,
        x1,
        middle,
        paint,
      );
    }
  }

  /**
   * The concept tracks of a line's tokens, wherever their values stand.
   * @param {CanvasRenderingContext2D} context
   * @param {number} line
   * @param {number} y
   */
  #bands(context, line, y) {
    const { state, frame } = this;
    const layout = /** @type {TextLayout} */ (this.#layout);
    const source = /** @type {AnySource} */ (frame.source);
    const { left } = this.#lengths;
    const { timesteps } = source.layer;
    const offset = state.model.get("example") * timesteps;
    /** @type {[number, number, number, number][]} */
    const places = [];
    for (let box = layout.starts[line]; box < Math.min(layout.end(line), timesteps); box++) {
      const x = left + layout.left[box];
      places.push([x, x + layout.widths[box], offset + box, offset + box + 1]);
    }
    drawBands(context, { source, theme: frame.theme, tracks: state.tracks }, places, {
      y,
      ...BAND,
    });
  }

  /**
   * What of the span that is chosen is in a line.
   * @param {CanvasRenderingContext2D} context
   * @param {number} line
   * @param {number} y
   */
  #span(context, line, y) {
    const { state, frame } = this;
    const layout = /** @type {TextLayout} */ (this.#layout);
    const offset = state.model.get("example") * state.layer.timesteps - (this.#predict ? 1 : 0);
    const [start, stop] = state.span ?? [-1, -1];
    const a = Math.max(start - offset, layout.starts[line]);
    const b = Math.min(stop - offset, layout.end(line)) - 1;
    if (a > b) return;
    const x = this.#lengths.left;
    context.fillStyle = frame.theme.colour.accent;
    if (layout.turned(line)) {
      for (let box = a; box <= b; box++)
        context.fillRect(x + layout.left[box], y, layout.widths[box], 2);
    } else {
      context.fillRect(
        x + layout.left[a],
        y,
        layout.left[b] + layout.widths[b] - layout.left[a],
        2,
      );
    }
  }

  /**
   * Put a text into the middle of a stretch.
   * @param {Glyphs} glyphs
   * @param {string} text
   * @param {number} x0
   * @param {number} x1
   * @param {number} middle
   * @param {number} colour
   */
  #stamp(glyphs, text, x0, x1, middle, colour) {
    const glyph = glyphs.of(text);
    if (!glyph) return;
    const x = x0 + ((x1 - x0 - glyph.width + 1) >> 1);
    stamp(this.#pixels, this.#image.width, glyph, x, middle - (glyph.height >> 1), colour);
  }

  /**
   * A cell's number before its row.
   * @param {number} cell
   * @param {number} y
   * @param {{ratio: number, left: number}} at
   */
  #name(cell, y, { ratio, left }) {
    const { foreground, background } = this.frame.theme;
    const selected = cell === this.state.model.get("cell");
    const glyph = this.#names.of(cellNumber(this.state.layer, cell));
    if (!glyph) return;
    const x = Math.round((left - 6) * ratio) - glyph.width;
    const middle = Math.round((y + ROW / 2) * ratio);
    const colour = selected ? foreground : mix(background, foreground, 0.62);
    const { width } = this.#image;
    stamp(this.#pixels, width, glyph, x, middle - (glyph.height >> 1), colour);
    // Heavier, without a font of its own.
    if (selected) stamp(this.#pixels, width, glyph, x + 1, middle - (glyph.height >> 1), colour);
  }

  /**
   * The top guesses under the tokens of a line.
   * @param {number} line
   * @param {number} y
   * @param {{ratio: number, left: number, frames: [number, number, number, number][]}} at
   */
  #guessRows(line, y, { ratio, left, frames }) {
    const { theme } = this.frame;
    const source = /** @type {AnySource} */ (this.frame.source);
    const layout = /** @type {TextLayout} */ (this.#layout);
    const offset = this.state.model.get("example") * source.layer.timesteps;
    const { width, height } = this.#image;
    for (let box = layout.starts[line]; box < layout.end(line); box++) {
      const timestep = this.#timestepOf(box);
      const guesses = timestep < 0 ? undefined : guessesAt(source, offset + timestep);
      if (!guesses) continue;
      const x = left + layout.left[box];
      const size = layout.widths[box];
      const [x0, x1] = [Math.round(x * ratio), Math.round((x + size) * ratio)];
      guesses.forEach(({ text, probability, right }, rank) => {
        const top = y + rank * GUESS_ROW;
        const [y0, y1] = [Math.round(top * ratio), Math.round((top + GUESS_ROW) * ratio)];
        const colour = shade(theme, probability);
        for (let row = Math.max(0, y0); row < Math.min(height, y1); row++) {
          this.#pixels.fill(colour, row * width + x0, row * width + Math.min(width, x1));
        }
        const shown = this.#ruler.fit(text, size, GUESS_LETTERS);
        const glyphs = right ? this.#bold : this.#guessed;
        this.#stamp(glyphs, shown, x0, x1, (y0 + y1) >> 1, ink(colour));
        if (right) frames.push([x, top, size, GUESS_ROW]);
      });
    }
  }

  /** The frames around what is selected and what is under the pointer. @param {CanvasRenderingContext2D} context */
  #outlines(context) {
    const { model, layer } = this.state;
    const { colour } = this.frame.theme;
    const cells = this.#cells;
    const { coloured } = this.#lengths;
    const around = (/** @type {number} */ timestep, /** @type {number} */ thick, row = -1) => {
      const box = this.#boxOf(timestep);
      if (box < 0) return;
      const { x, y, size } = this.#place(box);
      const top = row < 0 ? y : y + row * (ROW + SEAM);
      const high = row < 0 ? coloured : ROW;
      // Dark and light, so that it is seen on any colour.
      context.strokeStyle = colour.bg;
      context.lineWidth = thick + 2;
      context.strokeRect(x, top, size, high);
      context.strokeStyle = colour.fg;
      context.lineWidth = thick;
      context.strokeRect(x, top, size, high);
    };
    const timestep = model.get("timestep");
    if (cells.length > 1) around(timestep, 1);
    around(timestep, 2, cells.indexOf(model.get("cell")));
    const { hovered } = this;
    if (hovered && Math.floor(hovered.column / layer.timesteps) === model.get("example"))
      around(hovered.column % layer.timesteps, 1, cells.indexOf(hovered.cell));
  }

  /** Where a box stands in the window. @param {number} box */
  #place(box) {
    const layout = /** @type {TextLayout} */ (this.#layout);
    const { pitch, left } = this.#lengths;
    layout.settle(layout.lineOf(box));
    const y = TOP + layout.lineOf(box) * pitch - this.view.top;
    return { x: left + layout.left[box], y, size: layout.widths[box] };
  }

  // -- mouse and keys --------------------------------------------------------------------------

  /**
   * What is under the pointer: a cell's number, or a token in the row of a cell.
   * @param {MouseEvent} event
   * @returns {{cell?: number, column?: number} | undefined}
   */
  #under(event) {
    const layout = this.#layout;
    if (!layout || this.scroller.hidden) return undefined;
    const { pitch, left, coloured, bands, guesses } = this.#lengths;
    const at = this.view.at(event);
    const x = at.x - left;
    const y = at.y - TOP + this.view.top;
    const line = Math.floor(y / pitch);
    const below = y - line * pitch;
    const cell = this.#cells[Math.floor(below / (ROW + SEAM))];
    if (y < 0 || line >= layout.lines || below >= coloured + bands + guesses + 2) return undefined;
    if (x < 0) return this.#cells.length > 1 && x > EDGE - left ? { cell } : undefined;
    const box = layout.at(line, x);
    const timestep = this.#timestepOf(box);
    this.scroller.title = box < 0 || timestep >= 0 ? "" : "no state stands before the first token";
    if (box === this.frame.source?.layer.timesteps)
      this.scroller.title = "what comes next is not known";
    if (box < 0 || timestep < 0) return undefined;
    const column = this.state.model.get("example") * this.state.layer.timesteps + timestep;
    return cell === undefined ? { column } : { cell, column };
  }

  /** @param {{cell?: number, column?: number}} what */
  #select({ cell, column = this.state.column }) {
    this.#goal = undefined;
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
    const timestep = Math.max(0, Math.min(layer.timesteps - 1, this.#timestepOf(box)));
    this.state.select(model.get("example") * layer.timesteps + timestep, this.frame);
  }

  /** Select the token some lines further down. @param {number} lines */
  #step(lines) {
    const layout = /** @type {TextLayout} */ (this.#layout);
    const box = this.#boxOf(this.state.model.get("timestep"));
    if (box < 0) return;
    const line = layout.lineOf(box);
    const to = Math.max(0, Math.min(layout.lines - 1, line + lines));
    if (to === line) return;
    layout.settle(line);
    const goal = this.#goal ?? layout.left[box] + layout.widths[box] / 2;
    this.#go(layout.nearest(to, goal));
    this.#goal = goal;
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    const layout = this.#layout;
    if (!layout) return;
    const { model, layer } = this.state;
    const box = this.#boxOf(model.get("timestep"));
    const line = layout.lineOf(Math.max(0, box));
    const page = Math.max(1, Math.floor(this.view.height / this.#lengths.pitch) - 1);
    const modified = event.ctrlKey || event.metaKey;
    const cell = (/** @type {number} */ step) => {
      const to = Math.max(0, Math.min(layer.cells - 1, model.get("cell") + step));
      this.state.set({ cell: to }, this.frame);
    };
    const side = (/** @type {number} */ step) =>
      event.shiftKey ? this.state.extend(step, this.frame) : this.#go(box + step);
    // What goes up and down keeps its place in the line.
    const along = (/** @type {() => void} */ act) => () => {
      this.#goal = undefined;
      act();
    };
    this.#pointer = undefined;
    press(
      event,
      {
        ArrowUp: () => this.#step(-1),
        ArrowDown: () => this.#step(1),
        PageUp: () => this.#step(-page),
        PageDown: () => this.#step(page),
        ArrowLeft: along(() => side(layout.rtl(line) ? 1 : -1)),
        ArrowRight: along(() => side(layout.rtl(line) ? -1 : 1)),
        Home: along(() => this.#go(modified ? 0 : layout.starts[line])),
        End: along(() => this.#go((modified ? layout.count : layout.end(line)) - 1)),
        "[": along(() => cell(-1)),
        "]": along(() => cell(1)),
        p: along(() => this.#pin()),
      },
      ["Home", "End"],
    );
  }
}
