// All signals of one cell along its tokens, one band each, and below them why the state changed.

import { drawHead, GUTTER, headOf } from "../../canvas/head.js";
import { outline } from "../../canvas/outline.js";
import { Scroller } from "../../canvas/scroller.js";
import { changeAt, signalsOf } from "../../data/changes.js";
import { Columns, fitWidth, squareOf, zoomStep } from "../../layout/columns.js";
import { revealing } from "../../layout/scrolling.js";
import { clamp } from "../../lib/clamp.js";
import { div, element, listen } from "../../lib/dom.js";
import { press } from "../../lib/keyboard.js";
import { charactersOf } from "../../lib/tokens.js";
import { NOTHING_RECORDED } from "../../lib/wording.js";
import { button } from "../../ui/controls.js";
import { Bands, ENDS } from "./bands.js";
import { Drawing } from "./drawing.js";
import { Readout } from "./readout.js";

/** @typedef {import("../../ui/frame.js").Frame} Frame */
/** @typedef {import("../../data/source.js").AnySource} AnySource */
/** @typedef {import("../../data/changes.js").Signals} Signals */

/** Columns are no narrower than this: each value is a bar of its own. */
const NARROWEST = 3;
const SQUARE = 18;
/** Where times are known, a stretch of them is looked at. */
const TIMED = 6;
const MOVES = new Set(["example", "timestep", "layer"]);

/** @type {import("../../ui/keys.js").Key[]} */
const KEYS = [
  ["← →", "the timestep before, after"],
  ["↑ ↓", "the cell before, after"],
  ["PageUp PageDown", "ten cells before, after"],
  ["Home End", "the ends of the example"],
  ["+ −", "zooms in, out"],
  ["0", "resets the zoom"],
  ["click", "on a signal's name shows it everywhere"],
];
/** Where there is little room, bands are no lower than this share of their height, nor higher than that. */
const LOWEST = 0.42;
const HIGHEST = 1.8;

export class GatesPane {
  called = "gates";
  keys = KEYS;
  #bands = new Bands();
  /** How high bands are and how far apart, as a share of what they are on their own. */
  #stretched = 1;
  /** As chosen; 0: as wide as the tokens ask for. */
  #square = 0;
  #fitting = { layer: "", width: SQUARE };
  #reveal = true;
  #shown = false;
  /** The column under the pointer. @type {number | undefined} */
  #pointed;

  /** @param {Frame} frame */
  constructor(frame) {
    this.frame = frame;
    this.state = frame.state;
    this.menus = [];
    this.tools = [];
    this.view = new Scroller(
      "lw-gates",
      "signals of one cell",
      "All signals of one cell. Left and right go through the timesteps, Home and End to the ends " +
        "of the example, up and down to other cells, plus and minus zoom, 0 resets the zoom.",
      () => this.frame.schedule(),
    );
    this.scroller = this.view.root;
    this.empty = div("lw-empty");
    this.readout = new Readout(frame.state);
    this.drawing = new Drawing(frame);
    this.body = [
      div("lw-gates-title", [
        this.readout.title,
        element("div", { class: "lw-zoom", role: "group", "aria-label": "zoom of the timesteps" }, [
          button("−", "narrower (−)", () => this.#zoom(-1)),
          button("+", "wider (+)", () => this.#zoom(1)),
        ]),
      ]),
      this.scroller,
      this.empty,
      this.readout.legend,
      this.readout.root,
    ];
    const { scroller } = this;
    listen(scroller, "keydown", (event) => this.#key(event));
    listen(scroller, "click", (event) => this.#click(event));
    listen(scroller, "pointermove", (event) => this.#hover(this.#under(event)));
    listen(scroller, "pointerleave", () => this.#hover(-1));
    let pinched = SQUARE;
    this.view.onZoom({
      step: (direction, x) => this.#zoom(direction, x),
      begin: () => {
        pinched = this.#columns.width;
      },
      scale: (factor, x) => this.#widen(squareOf(pinched * factor), x),
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

  resize() {
    this.view.resize();
    this.#fill();
  }

  /** Make the bands as high as the pane has room for, if that is not made by them. */
  #fill() {
    const pane = this.scroller.parentElement;
    const before = this.#stretched;
    if (!pane || !this.frame.root.matches(".lw-split")) this.#stretched = 1;
    else if (this.#bands.natural) {
      const around = [...pane.children].filter((child) => child !== this.scroller);
      const [title, ...below] = around.map(
        (child) => /** @type {HTMLElement} */ (child).offsetHeight,
      );
      const bar = this.scroller.offsetHeight - this.view.height;
      const room = pane.clientHeight - title - bar - this.#head.height - ENDS;
      const beside = room - below.reduce((sum, height) => sum + height, 0);
      // What is read out below is scrolled to, if the bands alone fill the room.
      const share = (beside >= this.#bands.natural * LOWEST ? beside : room) / this.#bands.natural;
      this.#stretched = clamp(share, LOWEST, HIGHEST);
    }
    if (Math.abs(before - this.#stretched) > 0.01) this.frame.schedule();
    else this.#stretched = before;
  }

  /** @param {Set<string>} names */
  changed(names) {
    if (this.frame.follows(names, MOVES)) this.#reveal = true;
  }

  // -- places -------------------------------------------------------------------------------------

  /** The channels, unless another pane shows them. */
  get #lines() {
    return this.frame.panes.some(({ channels }) => channels) ? undefined : this.state.lines;
  }

  get #head() {
    return headOf(this.state.layer, this.state.tracks, this.#lines);
  }

  get #room() {
    return Math.max(1, this.view.width - GUTTER);
  }

  get #columns() {
    const { examples, timesteps } = this.state.layer;
    const width = Math.max(
      this.#square || this.#tokenWidth(),
      NARROWEST,
      fitWidth(examples, timesteps, this.#room),
    );
    return new Columns(examples, timesteps, width);
  }

  /** As wide as the tokens that were seen first of this layer, up to a point. */
  #tokenWidth() {
    const { source, state } = this.frame;
    if (!source?.layer.tokens) return source?.layer.times ? TIMED : SQUARE;
    const { name } = source.layer;
    if (this.#fitting.layer === name) return this.#fitting.width;
    const start = clamp(state.column - 32, 0, source.columns - 64);
    const lengths = [];
    for (let at = start; at < Math.min(source.columns, start + 64); at++) {
      const token = source.token(at);
      if (token === undefined) return SQUARE; // on its way
      lengths.push(charactersOf(source.spelling.label(token)).length);
    }
    lengths.sort((a, b) => a - b);
    const most = lengths[Math.floor(lengths.length * 0.8)] ?? 1;
    this.#fitting = { layer: name, width: clamp(8 * most + 6, SQUARE, 64) };
    this.#reveal = true;
    return this.#fitting.width;
  }

  #place() {
    const { layer, difference } = this.state;
    this.#bands.place(layer, this.#head.height, this.#stretched, difference !== "");
  }

  #stretch() {
    const { bottom } = this.#bands;
    this.view.stretch(GUTTER + this.#columns.total, bottom);
    return bottom;
  }

  /**
   * @param {number} direction 1 wider, -1 narrower
   * @param {number} x what stays under this place
   */
  #zoom(direction, x = GUTTER + this.#room / 2) {
    this.#widen(zoomStep(this.#columns.width, direction), x);
  }

  /**
   * @param {number} square
   * @param {number} x what stays under this place
   */
  #widen(square, x) {
    const inside = Math.max(0, x - GUTTER);
    const column = this.#columns.nearest(this.view.left + inside);
    const into = (this.view.left + inside - this.#columns.start(column)) / this.#columns.width;
    this.#square = Math.max(NARROWEST, square);
    this.#stretch();
    const columns = this.#columns;
    this.view.left = columns.start(column) + clamp(into, 0, 1) * columns.width - inside;
    this.frame.schedule();
  }

  /** The column under the pointer, or -1. @param {MouseEvent} event */
  #under(event) {
    const { x } = this.view.at(event);
    if (x < GUTTER || x >= this.view.width || !this.frame.source) return -1;
    return this.#columns.at(this.view.left + x - GUTTER);
  }

  /** @param {number} column */
  #hover(column) {
    if (column === (this.#pointed ?? -1)) return;
    this.#pointed = column < 0 ? undefined : column;
    this.frame.schedule();
  }

  /** @param {MouseEvent} event */
  #click(event) {
    const column = this.#under(event);
    if (column >= 0) this.state.select(column, this.frame);
    const { x, y } = this.view.at(event);
    if (x >= GUTTER) return;
    const band = this.#bands.all.find(({ top, height }) => y >= top && y < top + height);
    if (band?.signal) this.state.set({ signal: band.signal }, this.frame);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const { model, column, layer } = this.state;
    const cell = model.get("cell");
    const first = model.get("example") * layer.timesteps;
    const go = (/** @type {number} */ to) => this.state.select(to, this.frame);
    const turn = (/** @type {number} */ step) =>
      this.state.set({ cell: clamp(cell + step, 0, layer.cells - 1) }, this.frame);
    /** @type {Record<string, () => void>} */
    const keys = {
      ArrowLeft: () => go(column - 1),
      ArrowRight: () => go(column + 1),
      ArrowUp: () => turn(-1),
      ArrowDown: () => turn(1),
      PageUp: () => turn(-10),
      PageDown: () => turn(10),
      Home: () => go(first),
      End: () => go(first + layer.timesteps - 1),
      "+": () => this.#zoom(1),
      "=": () => this.#zoom(1),
      "-": () => this.#zoom(-1),
      0: () => {
        this.#square = 0;
        this.#reveal = true;
        this.frame.schedule();
      },
    };
    press(event, keys);
  }

  // -- painting -----------------------------------------------------------------------------------

  paint() {
    const { source, colours, theme, state } = this.frame;
    if (!source || !colours) return;
    const nothing = source.columns * source.layer.cells === 0;
    this.empty.textContent = nothing ? NOTHING_RECORDED : "";
    const { readout, drawing } = this;
    this.scroller.hidden = readout.legend.hidden = readout.root.hidden = nothing;
    if (nothing) return;
    const cell = state.model.get("cell");
    const signals = signalsOf(source, cell);
    readout.name(source, cell);
    drawing.dress();
    readout.read(source, signals, this.frame.pointing ? this.#pointed : undefined);
    if (this.view.width <= GUTTER) return;
    const unplaced = this.#bands.natural === 0;
    this.#place();
    if (unplaced) {
      this.#fill();
      this.#place();
    }
    let height = this.#stretch();
    const columns = this.#columns;
    if (this.#reveal || this.view.displaced) {
      const [at, start] = [this.view.left, columns.start(state.column)];
      const gently = this.#shown && !this.view.displaced;
      const to = revealing(at, start, columns.width, this.#room, gently);
      if (to !== at) this.view.left = to;
      this.view.reveals();
    }
    this.#reveal = false;
    this.#shown = true;
    const left = this.view.left;
    const [first, last] = columns.between(left, left + this.#room);
    this.#bands.measure(source, signals, first, last);
    this.#place();
    height = this.#stretch();

    const context = this.#prepare(height);
    if (!context) return;
    drawHead(
      context,
      {
        source,
        theme,
        align: state.model.get("align"),
        column: state.column,
        tracks: state.tracks,
        span: state.span,
        lines: this.#lines,
      },
      {
        columns,
        left,
        width: this.view.width,
        size: Math.min(13, Math.floor(columns.width * 0.78)),
      },
    );
    const bands = this.#bands.all;
    drawing.gutter(context, bands);
    context.save();
    context.beginPath();
    context.rect(GUTTER, 0, this.#room, height);
    context.clip();
    const right = Math.min(this.view.width, GUTTER + columns.total - left);
    for (const band of bands) drawing.lines(context, band, right);
    const x = (/** @type {number} */ column) => GUTTER + columns.start(column) - left;
    const { height: top, column: head, strip } = this.#head;
    for (let column = first; column <= last; column++) {
      const padding = source.padding(column);
      for (const band of bands) {
        if (band.signal) {
          const value = signals.at(band.signal, column);
          if (value !== undefined)
            drawing.bar(context, band, value, x(column), columns.width, padding);
        } else {
          const happened = changeAt(signals, column);
          if (happened) drawing.change(context, band, happened, x(column), columns.width);
        }
      }
      if (padding) drawing.dots(context, x(column), columns.width, top, height);
    }
    if (this.#pointed !== undefined) {
      context.lineWidth = 1;
      context.strokeStyle = theme.colour.muted;
      context.strokeRect(x(this.#pointed) - 0.5, top + 0.5, columns.width, height - top - 1.5);
    }
    const start = source.layer.tokens || strip > 0 ? top - head : top;
    outline(context, theme, [x(state.column) - 0.5, start, columns.width, height - start - 1]);
    context.restore();
  }

  /** The canvas, as large as it has to be, and empty. @param {number} height */
  #prepare(height) {
    const context = this.view.prepare(height);
    if (!context) return undefined;
    context.fillStyle = this.frame.theme.colour.bg;
    context.fillRect(0, 0, this.view.width, height);
    return context;
  }
}
