// All signals of one cell along its tokens, one band each, and below them why the state changed.

import { drawHead, GUTTER, headOf } from "../../canvas/head.js";
import { outline } from "../../canvas/outline.js";
import { Scroller } from "../../canvas/scroller.js";
import { FADE } from "../../colour/colours.js";
import { css, RAMP, ramp, resolve } from "../../colour/palettes.js";
import { shownToken } from "../../data/align.js";
import {
  changeAt,
  Extent,
  explain,
  missingWords,
  readsBackwards,
  ruleOf,
  signalsOf,
  symbolOf,
} from "../../data/changes.js";
import { BLOCK } from "../../data/codes.js";
import { cellName } from "../../data/layer.js";
import { WholeSource } from "../../data/source.js";
import { Columns, fitWidth, squareOf, zoomStep } from "../../layout/columns.js";
import { revealing } from "../../layout/scrolling.js";
import { clamp } from "../../lib/clamp.js";
import { div, element, listen } from "../../lib/dom.js";
import { press } from "../../lib/keyboard.js";
import { charactersOf, quoted } from "../../lib/tokens.js";
import { minus, number, words } from "../../lib/wording.js";
import { button } from "../../ui/controls.js";

/** @typedef {import("../../ui/frame.js").Frame} Frame */
/** @typedef {import("../../data/source.js").AnySource} AnySource */
/** @typedef {import("../../data/changes.js").Signals} Signals */

/** Heights of bands: of signals on both sides of zero, of gates, of the change. */
const SIGNED = 42;
const GATE = 32;
const WHY = 92;
const APART = 8;
/** A lower band has its name beside it, not the ends of its range. */
const ROOM_FOR_RANGE = 30;
/** Below the last. */
const ENDS = 6;
/** Columns are no narrower than this: each value is a bar of its own. */
const NARROWEST = 3;
const SQUARE = 18;
const MOVES = new Set(["example", "timestep", "layer"]);

/**
 * One band of the picture.
 * @typedef {object} Band
 * @property {string} signal "" for the change
 * @property {number} top
 * @property {number} height
 * @property {[number, number]} range the values at its bottom and top
 */

/** @type {import("../../ui/keys.js").Key[]} */
const KEYS = [
  ["← →", "the timestep before, after"],
  ["↑ ↓", "the cell before, after"],
  ["PageUp PageDown", "ten cells before, after"],
  ["Home End", "the ends of the example"],
  ["+ −", "zooms in, out"],
  ["0", "undoes it"],
  ["click", "on a signal's name shows it everywhere"],
];
/** Where there is little room, bands are no lower than this share of their height, nor higher than that. */
const LOWEST = 0.42;
const HIGHEST = 1.8;

export class GatesPane {
  called = "gates";
  keys = KEYS;
  /** How high bands are and how far apart, as a share of what they are on their own. */
  #stretched = 1;
  #natural = 0;
  /** As chosen; 0: as wide as the tokens ask for. */
  #square = 0;
  #fitting = { layer: "", width: SQUARE };
  #reveal = true;
  #shown = false;
  /** @type {Band[]} */
  #bands = [];
  /** What each band was seen to reach, of one cell; and in which blocks it was looked for. */
  #extents = {
    source: /** @type {unknown} */ (undefined),
    cell: -1,
    blocks: /** @type {Set<number>} */ (new Set()),
    of: /** @type {Map<string, Extent>} */ (new Map()),
  };
  #look = {
    theme: /** @type {unknown} */ (undefined),
    keep: "",
    write: "",
    stripes: /** @type {CanvasPattern | string} */ (""),
  };
  /** The column under the pointer. @type {number | undefined} */
  #pointed;

  /** @param {Frame} frame */
  constructor(frame) {
    this.frame = frame;
    this.state = frame.state;
    this.menus = [];
    this.tools = [];
    this.title = element("span");
    this.view = new Scroller(
      "lw-gates",
      "signals of one cell",
      "All signals of one cell. Left and right go through the timesteps, Home and End to the ends " +
        "of the example, up and down to other cells, plus and minus zoom, 0 undoes it.",
      () => this.frame.schedule(),
    );
    this.scroller = this.view.root;
    this.legend = div("lw-gates-legend");
    this.values = div("lw-gates-values");
    this.sum = div("lw-gates-sum");
    this.note = div("lw-gates-note");
    this.empty = div("lw-empty");
    // The status line speaks of the value; here it is the sum that is spoken.
    this.why = element("div", { "aria-live": "polite" }, [this.sum, this.note]);
    this.readout = div("lw-gates-read", [this.values, this.why]);
    this.body = [
      div("lw-gates-title", [
        this.title,
        element("div", { class: "lw-zoom", role: "group", "aria-label": "zoom of the timesteps" }, [
          button("−", "narrower (−)", () => this.#zoom(-1)),
          button("+", "wider (+)", () => this.#zoom(1)),
        ]),
      ]),
      this.scroller,
      this.empty,
      this.legend,
      this.readout,
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
    else if (this.#natural) {
      const around = [...pane.children].filter((child) => child !== this.scroller);
      const [title, ...below] = around.map(
        (child) => /** @type {HTMLElement} */ (child).offsetHeight,
      );
      const bar = this.scroller.offsetHeight - this.view.height;
      const room = pane.clientHeight - title - bar - this.#head.height - ENDS;
      const beside = room - below.reduce((sum, height) => sum + height, 0);
      // What is read out below is scrolled to, if the bands alone fill the room.
      const share = (beside >= this.#natural * LOWEST ? beside : room) / this.#natural;
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

  get #head() {
    return headOf(this.state.layer, this.state.tracks);
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
    if (!source?.layer.tokens) return SQUARE;
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

  #stretch() {
    const last = this.#bands[this.#bands.length - 1];
    const height = last ? last.top + last.height + ENDS : 0;
    this.view.stretch(GUTTER + this.#columns.total, height);
    return height;
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
    const band = this.#bands.find(({ top, height }) => y >= top && y < top + height);
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
    this.empty.textContent = nothing ? "Nothing to show: no timestep was recorded." : "";
    this.scroller.hidden = this.legend.hidden = this.readout.hidden = nothing;
    if (nothing) return;
    const cell = state.model.get("cell");
    const signals = signalsOf(source, cell);
    this.#name(source, cell);
    if (this.#look.theme !== theme) this.#dress();
    this.#read(source, signals);
    if (this.view.width <= GUTTER) return;
    const unplaced = this.#natural === 0;
    this.#place(source);
    if (unplaced) {
      this.#fill();
      this.#place(source);
    }
    let height = this.#stretch();
    const columns = this.#columns;
    if (this.#reveal || this.view.displaced) {
      const [at, start] = [this.view.left, columns.start(state.column)];
      const to = revealing(at, start, columns.width, this.#room, this.#shown);
      if (to !== at) this.view.left = to;
      this.view.reveals();
    }
    this.#reveal = false;
    this.#shown = true;
    const left = this.view.left;
    const [first, last] = columns.between(left, left + this.#room);
    this.#measure(source, signals, first, last);
    this.#place(source);
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
      },
      {
        columns,
        left,
        width: this.view.width,
        size: Math.min(13, Math.floor(columns.width * 0.78)),
      },
    );
    this.#gutter(context);
    context.save();
    context.beginPath();
    context.rect(GUTTER, 0, this.#room, height);
    context.clip();
    const right = Math.min(this.view.width, GUTTER + columns.total - left);
    for (const band of this.#bands) this.#lines(context, band, right);
    const x = (/** @type {number} */ column) => GUTTER + columns.start(column) - left;
    for (let column = first; column <= last; column++) {
      const padding = source.padding(column);
      for (const band of this.#bands) {
        if (band.signal) {
          const value = signals.at(band.signal, column);
          if (value !== undefined)
            this.#bar(context, band, value, x(column), columns.width, padding);
        } else {
          const happened = changeAt(signals, column);
          if (happened) this.#change(context, band, happened, x(column), columns.width);
        }
      }
      if (padding) this.#dots(context, x(column), columns.width, height);
    }
    const { height: top, column: head } = this.#head;
    if (this.#pointed !== undefined) {
      context.lineWidth = 1;
      context.strokeStyle = theme.colour.muted;
      context.strokeRect(x(this.#pointed) - 0.5, top + 0.5, columns.width, height - top - 1.5);
    }
    const start = source.layer.tokens ? top - head : top;
    outline(context, theme, [x(state.column) - 0.5, start, columns.width, height - start - 1]);
    context.restore();
  }

  /** @param {AnySource} source @param {number} cell */
  #name(source, cell) {
    const who = cellName(source.layer, cell);
    const rule = ruleOf(source.layer);
    const way = readsBackwards(source.layer, cell) ? ", read from right to left" : "";
    const title = `: its signals, and why its ${words(rule.state)} changed${way}`;
    if (this.title.textContent !== `${who}${title}`) {
      this.title.replaceChildren(element("b", {}, [who]), title);
    }
    const { symbol: s, gate } = rule;
    const written = source.layer.kind === "GRU" ? "(1 − z)·h̃" : "i·g";
    const kept = gate === "update_gate" ? "z" : "f";
    const missing = missingWords(source.layer);
    const parts = gate
      ? [
          ["keep", `forget (${kept} − 1)·${s}₋₁`],
          ["write", `write ${written}`],
          ["sum", `sum Δ${s}`],
        ]
      : [["write", `Δ${s} = ${s} − ${s}₋₁`]];
    const key = JSON.stringify([parts, missing]);
    if (this.legend.dataset.key === key) return;
    this.legend.dataset.key = key;
    this.legend.replaceChildren(
      ...parts.map(([name, text]) =>
        element("span", {}, [element("i", { class: `lw-gates-${name}` }), text]),
      ),
      ...(missing ? [element("span", { class: "lw-gates-note" }, [missing])] : []),
    );
  }

  /** The colours of this theme. */
  #dress() {
    const { theme } = this.frame;
    const style = getComputedStyle(this.frame.root);
    const [keep, write] = ["keep", "write"].map((n) => style.getPropertyValue(`--lw-${n}`).trim());
    const tile = element("canvas", { width: 4, height: 4 });
    const context = tile.getContext("2d");
    if (context) {
      context.fillStyle = keep;
      for (let i = 0; i < 4; i++) context.fillRect(i, 3 - i, 1, 1);
      context.globalAlpha = 0.25;
      context.fillRect(0, 0, 4, 4);
    }
    const stripes = context?.createPattern(tile, "repeat") ?? keep;
    this.#look = { theme, keep, write, stripes };
  }

  /** Where the bands stand, and their scales. @param {AnySource} source */
  #place(source) {
    const { layer } = source;
    let top = this.#head.height + 2;
    const apart = Math.round(APART * this.#stretched);
    this.#natural = 0;
    const band = (/** @type {string} */ signal) => {
      const extent = this.#extents.of.get(signal) ?? new Extent();
      const range = extent.range(signal.endsWith("_gate"));
      const natural = signal === "" ? WHY : range[0] < 0 ? SIGNED : GATE;
      const height = Math.round(natural * this.#stretched);
      const made = { signal, top, height, range };
      top += height + apart;
      this.#natural += natural + APART;
      return made;
    };
    this.#bands = layer.signals.map(band);
    top += apart;
    this.#bands.push(band(""));
  }

  /**
   * See how far values reach: in all of the recording if it is in the page, else in what is in view.
   * @param {AnySource} source
   * @param {Signals} signals
   * @param {number} first
   * @param {number} last
   */
  #measure(source, signals, first, last) {
    const { cell } = signals;
    if (this.#extents.source !== source || this.#extents.cell !== cell) {
      this.#extents = { source, cell, blocks: new Set(), of: new Map() };
    }
    const all = source instanceof WholeSource;
    const from = all ? 0 : Math.floor(first / BLOCK);
    const to = Math.floor((all ? source.columns - 1 : last) / BLOCK);
    for (let block = from; block <= to; block++) this.#measureBlock(source, signals, block);
  }

  /**
   * @param {AnySource} source
   * @param {Signals} signals
   * @param {number} block
   */
  #measureBlock(source, signals, block) {
    const { cell, blocks, of } = this.#extents;
    const rows = blocks.has(block) ? undefined : source.series(block, cell);
    if (!rows) return;
    blocks.add(block);
    const extent = (/** @type {string} */ signal) => {
      const made = of.get(signal) ?? new Extent();
      of.set(signal, made);
      return made;
    };
    source.layer.signals.forEach((signal, i) => {
      const one = extent(signal);
      for (const value of rows[i]) one.add(value);
    });
    const change = extent("");
    for (let i = 0; i < rows[0].length; i++) {
      const column = block * BLOCK + i;
      const happened = changeAt(signals, column);
      if (!happened) continue;
      const { keep, write } = happened;
      const [a, b] = [keep || 0, write || 0];
      change.add(Math.max(a, 0) + Math.max(b, 0));
      change.add(Math.min(a, 0) + Math.min(b, 0));
      change.add(happened.change);
    }
  }

  /** The canvas, as large as it has to be, and empty. @param {number} height */
  #prepare(height) {
    const context = this.view.prepare(height);
    if (!context) return undefined;
    context.fillStyle = this.frame.theme.colour.bg;
    context.fillRect(0, 0, this.view.width, height);
    return context;
  }

  /** Names and scales. @param {CanvasRenderingContext2D} context */
  #gutter(context) {
    const { theme, state } = this.frame;
    const { symbol } = ruleOf(state.layer);
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const { signal, top, height, range } of this.#bands) {
      const chosen = signal === state.model.get("signal");
      context.fillStyle = theme.colour.fg;
      if (chosen) context.fillRect(GUTTER - 4, top, 2, height);
      context.font = `${signal ? 11 : 13}px ${theme.font}`;
      if (!chosen && signal) context.fillStyle = theme.colour.muted;
      const name = signal ? words(signal) : `Δ${symbol}`;
      context.fillText(name, GUTTER - 8, top + height / 2 + 0.5, GUTTER - 12);
      if (height < ROOM_FOR_RANGE) continue;
      context.font = `9px ${theme.font}`;
      context.fillStyle = theme.colour.muted;
      const [low, high] = range;
      context.fillText(low < 0 ? `+${high}` : String(high), GUTTER - 8, top + 4.5);
      context.fillText(minus(String(low)), GUTTER - 8, top + height - 3.5);
    }
  }

  /**
   * Zero, and the ends of the scale.
   * @param {CanvasRenderingContext2D} context
   * @param {Band} band
   * @param {number} right
   */
  #lines(context, band, right) {
    const { theme } = this.frame;
    context.fillStyle = theme.colour.line;
    const zero = this.#y(band, 0);
    context.globalAlpha = 0.5;
    context.fillRect(GUTTER, band.top, right - GUTTER, 1);
    context.fillRect(GUTTER, band.top + band.height - 1, right - GUTTER, 1);
    context.globalAlpha = 1;
    context.fillRect(GUTTER, zero, right - GUTTER, 1);
  }

  /**
   * Where a value stands, on a whole pixel.
   * @param {Band} band
   * @param {number} value
   */
  #y({ top, height, range: [low, high] }, value) {
    const share = (clamp(value, low, high) - low) / (high - low);
    return Math.round(top + (1 - share) * (height - 1));
  }

  /**
   * The shown signal has the colours of the legend; the others go through the palette from end to end
   * of their own scale, and gates are plain.
   * @param {Band} band
   * @param {number} value
   * @returns {[string, number]} colour and alpha
   */
  #colour(band, value) {
    const { colours, theme, state } = this.frame;
    const { model } = state;
    const [low, high] = band.range;
    if (colours && band.signal === model.get("signal"))
      return [css(colours.pixel(value, model.get("cell"))), 1];
    const alpha = Math.abs(value) < model.get("threshold") ? 1 - FADE : 1;
    if (low >= 0) return [theme.colour.bar, alpha];
    const position = (clamp(value, low, high) - low) / (high - low);
    const name = resolve(model.get("palette"), true, theme.dark);
    return [css(ramp(name)[Math.round(position * (RAMP - 1))]), alpha];
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Band} band
   * @param {number} value
   * @param {number} x
   * @param {number} width of the column
   * @param {boolean} padding
   */
  #bar(context, band, value, x, width, padding) {
    const wide = width >= 5 ? width - 1 : width;
    const { theme } = this.frame;
    if (Number.isNaN(value)) {
      if (padding) return;
      // The same slant as in the grid: what is here is no value.
      context.strokeStyle = theme.colour.muted;
      context.lineWidth = 1.5;
      context.beginPath();
      context.moveTo(x + 1, band.top + band.height * 0.75);
      context.lineTo(x + wide - 1, band.top + band.height * 0.25);
      context.stroke();
      return;
    }
    const [colour, alpha] = this.#colour(band, value);
    const [zero, end] = [this.#y(band, 0), this.#y(band, value)];
    context.globalAlpha = padding ? alpha / 4 : alpha;
    context.fillStyle = colour;
    if (end < zero) context.fillRect(x, end, wide, zero - end);
    else context.fillRect(x, zero + 1, wide, end - zero);
    // Colours near zero are those of the page: the end of each bar is seen all the same.
    if (band.range[0] < 0 && end !== zero) {
      context.fillStyle = theme.colour.bar;
      context.fillRect(x, end, wide, 1);
    }
    context.globalAlpha = 1;
  }

  /**
   * What was lost and what was written, on each other where they have the same sign, and their sum.
   * @param {CanvasRenderingContext2D} context
   * @param {Band} band
   * @param {import("../../data/changes.js").Change} happened
   * @param {number} x
   * @param {number} width
   */
  #change(context, band, { keep, write, change, from }, x, width) {
    const { theme, state } = this.frame;
    const { keep: keepColour, write: writeColour, stripes } = this.#look;
    const wide = width >= 5 ? width - 1 : width;
    if (from === "padding" || from === "window") return;
    if (from === "nowhere" && width >= 7) {
      context.fillStyle = theme.colour.muted;
      context.font = `11px ${theme.font}`;
      context.textAlign = "center";
      context.fillText("?", x + width / 2, band.top + 10);
    }
    const stack = (/** @type {number} */ start, /** @type {number} */ size) => {
      const [a, b] = [this.#y(band, start), this.#y(band, start + size)];
      return { y: Math.min(a, b) + (size < 0 ? 1 : 0), height: Math.abs(a - b) };
    };
    const simple = ruleOf(state.layer).gate === undefined;
    if (simple && !Number.isNaN(change)) {
      const { y, height } = stack(0, change);
      context.fillStyle = writeColour;
      context.fillRect(x, y, wide, height);
      return;
    }
    if (!Number.isNaN(keep)) {
      const { y, height } = stack(0, keep);
      context.fillStyle = stripes;
      context.fillRect(x, y, wide, height);
      context.strokeStyle = keepColour;
      context.lineWidth = 1;
      if (height > 1 && wide > 2) context.strokeRect(x + 0.5, y + 0.5, wide - 1, height - 1);
    }
    if (!Number.isNaN(write)) {
      const { y, height } = stack(keep * write > 0 ? keep : 0, write);
      context.fillStyle = writeColour;
      context.fillRect(x, y, wide, height);
    }
    const zero = this.#y(band, 0);
    const seen = [keep, write].some((size) => Math.abs(this.#y(band, size || 0) - zero) > 1);
    if (seen && !Number.isNaN(change)) {
      context.fillStyle = theme.colour.fg;
      context.fillRect(x, this.#y(band, change) - 1, wide, 2);
    }
  }

  /**
   * Dots as on padding in the grid.
   * @param {CanvasRenderingContext2D} context
   * @param {number} x
   * @param {number} width
   * @param {number} height
   */
  #dots(context, x, width, height) {
    const { theme } = this.frame;
    context.fillStyle = theme.colour.muted;
    for (let y = this.#head.height + 2; y < height - 4; y += 4) {
      for (let at = x + 1; at < x + width - 1; at += 4) context.fillRect(at, y, 1, 1);
    }
  }

  // -- the numbers --------------------------------------------------------------------------------

  /**
   * @param {AnySource} source
   * @param {Signals} signals
   */
  #read(source, signals) {
    const { layer } = source;
    const { model, column: selected } = this.state;
    const pointed = this.frame.pointing ? this.#pointed : undefined;
    const column = pointed ?? selected;
    const token = shownToken(source, column, model.get("align"));
    const values = layer.signals.map((signal) => signals.at(signal, column));
    const happened = changeAt(signals, column);
    const { sum, note } = happened ? explain(signals, column, happened) : { sum: "…", note: "" };
    const key = JSON.stringify([layer.name, model.get("cell"), column, token, values, sum, note]);
    if (this.readout.dataset.key === key) return;
    this.readout.dataset.key = key;
    this.readout.classList.toggle("lw-hovered", pointed !== undefined);
    // What is under a moving pointer is not spoken.
    this.why.setAttribute("aria-live", pointed === undefined ? "polite" : "off");
    const at = `t=${column % layer.timesteps}${token === undefined ? "" : ` ${quoted(token)}`}`;
    this.values.replaceChildren(
      element("b", {}, [at]),
      ...layer.signals.map((signal, i) => {
        const value = values[i];
        const text = value === undefined ? "…" : `${layer.rounded ? "≈ " : ""}${number(value)}`;
        const symbol = symbolOf(signal, layer.kind);
        const full = value === undefined || layer.rounded ? "" : String(value);
        return element("span", { title: full }, [
          `${words(signal)} `,
          ...(symbol ? [element("i", {}, [symbol]), " "] : []),
          element("b", {}, [text]),
        ]);
      }),
    );
    this.sum.textContent = sum;
    this.note.textContent = note;
  }
}
