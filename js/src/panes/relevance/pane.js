// Many examples as rows of words, each word on the colour of its relevance, one band a method.

import { outline } from "../../canvas/outline.js";
import { Scroller } from "../../canvas/scroller.js";
import { drawRun, Shaper } from "../../canvas/shaper.js";
import { css, ink, mix } from "../../colour/palettes.js";
import { boxesOf, Shelf, WordRows } from "../../layout/word_rows.js";
import { clamp } from "../../lib/clamp.js";
import { element, write } from "../../lib/dom.js";
import { charactersOf, directionOf, visible } from "../../lib/tokens.js";
import { counted, methodName, strongest, sureness } from "./words.js";

/** @typedef {import("./frame.js").RelevanceFrame} RelevanceFrame */
/** @typedef {import("../../data/examples.js").Row} Row */

/** A word's box in a band, the seam between two bands. */
const BAND = 19;
const SEAM = 1;
/** Between two lines of words. */
const APART = 4;
const FURTHER_APART = 9;
/** Above and below the words of an example. */
const MARGIN = 6;
/** The most lines that an example has room for, unless one asks for more. */
const AUTO_LINES = 2;
const LETTERS = 13;
/** The two lines at the left of an example. */
const HEAD = 17;
/** Room for a probability. */
const SURE = 42;
const EDGE = 12;
const TOP = 0;
const MOST_HEIGHT = 560;
/** Room at the sides of a word; between two words. */
const PAD = 8;
const GAP = 3;
/** Of the monospaced font: how many characters a line has room for. */
const CHARACTER = 7.83;
/** Layouts that are kept. */
const KEPT = 400;
/** Rows that are asked for before they are scrolled into view. */
const AHEAD = 1;
const MOVES = new Set(["example", "timestep"]);
/** What is chosen to see what then comes first. */
const ASKS = new Set(["sort", "predicted", "outcome", "search"]);

/** How far apart the marks of what is no plain value are. */
const PERIOD = 6;

/** @type {import("../../ui/keys.js").Key[]} */
const KEYS = [
  ["↑ ↓", "the example above, below"],
  ["← →", "the word before, after"],
  ["[ ]", "the method before, after"],
  ["Space", "unfolds an example"],
  ["Enter", "opens it in the Explorer"],
];

export class RelevancePane {
  called = "examples";
  keys = KEYS;
  #reveal = true;
  /** Whether to go to the first row: other rows are shown, or in another order. */
  #restart = false;
  /** @type {Map<number, {row: Row, key: string, rows: WordRows}>} */
  #layouts = new Map();
  /** Widths of texts in the font of words. @type {Map<string, number>} */
  #measured = new Map();
  #font = "";
  #ruler = document.createElement("canvas").getContext("2d");
  /** Which rank an example has. @type {{order: Uint32Array, ranks: Map<number, number>} | undefined} */
  #ranked;
  /** @type {PointerEvent | undefined} */
  #pointer;
  /** Where up and down lead, while one goes on with them. @type {number | undefined} */
  #goal;
  /** What is to stay at its height when rows change theirs. @type {{example: number, y: number} | undefined} */
  #held;

  /** @param {RelevanceFrame} frame */
  constructor(frame) {
    this.frame = frame;
    this.state = frame.state;
    this.scroller = new Scroller(
      "lw-rows",
      "examples",
      "Words of many examples on the colours of their relevance. Up and down go through the " +
        "examples, left and right through the words, [ and ] through the methods; space unfolds an " +
        "example, Enter opens it in the Explorer.",
      () => frame.schedule(),
    );
    this.shaper = new Shaper(this.scroller.root);
    this.heads = {
      example: element("span"),
      classes: element("span"),
      method: element("span"),
      words: element("span"),
    };
    this.header = element(
      "div",
      { class: "lw-rows-head", "aria-hidden": "true" },
      Object.values(this.heads),
    );
    this.empty = element("div", { class: "lw-empty" });
    this.menus = [];
    this.tools = [];
    this.body = [this.header, this.scroller.root, this.empty];
    this.#listen();
  }

  #listen() {
    const { frame } = this;
    const scroller = this.scroller.root;
    scroller.addEventListener("keydown", (event) => this.#press(event));
    scroller.addEventListener("click", (event) => this.#click(event));
    scroller.addEventListener("pointermove", (event) => {
      this.#pointer = event;
      frame.schedule();
    });
    scroller.addEventListener("pointerleave", () => {
      this.#pointer = undefined;
      frame.schedule();
    });
  }

  destroy() {
    this.scroller.destroy();
  }

  /** @param {Set<string>} names */
  changed(names) {
    if (this.frame.follows(names, MOVES)) this.#reveal = true;
    if (this.frame.follows(names, ASKS)) this.#restart = true;
  }

  resize() {
    this.scroller.resize();
  }

  /** What is under the pointer now, also if rows have moved while it rested. */
  get hovered() {
    const under = this.#pointer && this.#under(this.#pointer);
    if (!under) return undefined;
    const { example, box } = under;
    return { example, start: box?.start, stop: box?.stop };
  }

  // -- where things stand ----------------------------------------------------------------------

  get #bands() {
    return this.state.bands;
  }

  /** Lengths of the columns and of a row, in CSS pixels. */
  get #lengths() {
    const { summary, model } = this.state;
    const digits = counted(Math.max(0, summary.examples - 1)).length;
    const number = Math.max(44, digits * 8);
    const classes = this.#classesWidth;
    const bands = this.#bands;
    const named = Math.max(
      0,
      ...bands.map((m) => this.#measure(methodName(summary.methods[m].name), 11, "sans")),
    );
    const method = bands.length > 1 ? Math.ceil(named) + 8 : 0;
    const left = EDGE + number + 10 + classes + 12 + method;
    const room = Math.max(80, this.scroller.width - left - EDGE);
    const line = bands.length * (BAND + SEAM) - SEAM + (bands.length > 1 ? FURTHER_APART : APART);
    const apart = bands.length > 1 ? FURTHER_APART : APART;
    const need = (/** @type {number} */ long) => Math.max(1, Math.ceil((long * CHARACTER) / room));
    const wanted = model.get("lines") || Math.min(AUTO_LINES, need(summary.typical));
    const lines = Math.min(wanted, need(1.1 * summary.longest));
    const pitch = Math.max(2 * HEAD, lines * line - apart) + 2 * MARGIN + 1;
    return { number, classes, method, left, room, line, apart, lines, pitch };
  }

  /** As wide as the names of classes, within reason; the probability stands beside them. */
  get #classesWidth() {
    const { summary } = this.state;
    let widest = 0;
    for (const [, name] of summary.classes.slice(0, 100)) {
      widest = Math.max(widest, 1.07 * this.#measure(visible(name.slice(0, 40)), 12, "sans"));
    }
    return Math.ceil(Math.max(72, Math.min(widest, 0.14 * this.scroller.width, 160)) + SURE);
  }

  /**
   * @param {string} text
   * @param {number} size
   * @param {"mono" | "sans"} kind
   */
  #measure(text, size = LETTERS, kind = "mono") {
    const key = `${kind}${size}${text}`;
    let width = this.#measured.get(key);
    if (width === undefined) {
      if (!this.#ruler) return 0;
      const { theme } = this.frame;
      this.#ruler.font = `${size}px ${kind === "mono" ? theme.mono : theme.font}`;
      width = this.#ruler.measureText(text).width;
      if (this.#measured.size > 20_000) this.#measured.clear();
      this.#measured.set(key, width);
    }
    return width;
  }

  /**
   * As much of a text as there is room for.
   * @param {string} text
   * @param {number} room
   * @param {number} size
   * @param {"mono" | "sans"} kind
   */
  #fit(text, room, size = LETTERS, kind = "mono") {
    if (this.#measure(text, size, kind) <= room + 0.5) return text;
    const characters = charactersOf(text.slice(0, 200));
    while (characters.length > 1 && this.#measure(`${characters.join("")}…`, size, kind) > room) {
      characters.pop();
    }
    return `${characters.join("").trimEnd()}…`;
  }

  /**
   * Where the words of an example stand.
   * @param {number} example
   * @param {Row} row
   * @param {number} lines the most of them
   */
  #layout(example, row, lines) {
    const { room } = this.#lengths;
    const { timesteps } = this.state.summary;
    const { kind } = row.spelling;
    const letters = kind === "characters";
    const key = `${room} ${lines}`;
    const kept = this.#layouts.get(example);
    if (kept && kept.row === row && kept.key === key) return kept.rows;
    const boxes = boxesOf(row, timesteps, kind === "words" ? 2 : 4);
    const pad = letters ? 3 : kind === "words" ? PAD : PAD / 2;
    const rows = new WordRows(
      boxes,
      boxes.map(({ text }) => Math.max(BAND - 1, Math.ceil(this.#measure(text)) + pad)),
      {
        width: room,
        gap: letters ? SEAM : GAP,
        seam: SEAM,
        lines,
        chip: (cut) => this.#measure(this.#chip(cut), 11, "sans") + 14,
      },
    );
    const { mono } = this.frame.theme;
    rows.settle(row.spelling, GAP, (pieces, rtl) =>
      this.shaper.places(pieces, rtl, `${LETTERS}px ${mono}`),
    );
    this.#layouts.delete(example);
    this.#layouts.set(example, { row, key, rows });
    for (const oldest of this.#layouts.keys()) {
      if (this.#layouts.size <= KEPT) break;
      this.#layouts.delete(oldest);
    }
    return rows;
  }

  /** @param {number} cut */
  #chip(cut) {
    return `… ${cut} more`;
  }

  /**
   * The words of an example as they are shown now: all of the selected one, if it is unfolded or its
   * selected word would not be seen.
   * @param {number} example
   * @param {Row} row
   */
  #shown(example, row) {
    const { lines } = this.#lengths;
    const { model } = this.state;
    const folded = this.#layout(example, row, lines);
    if (folded.cut === 0 || example !== model.get("example")) return folded;
    const hidden = folded.boxOf(model.get("timestep")) >= folded.count;
    return hidden || model.get("unfolded") ? this.#layout(example, row, Infinity) : folded;
  }

  /** The rank of an example; -1 if it is not shown. @param {number} example */
  #rankOf(example) {
    const { order } = this.state;
    if (!order) return -1;
    if (this.#ranked?.order !== order) {
      this.#ranked = { order, ranks: new Map(Array.from(order, (each, rank) => [each, rank])) };
    }
    return this.#ranked.ranks.get(example) ?? -1;
  }

  /** Where the rows stand. */
  get #shelf() {
    const { model, order, examples } = this.state;
    const { pitch, line, lines, apart } = this.#lengths;
    const example = model.get("example");
    const open = this.#rankOf(example);
    const row = open >= 0 ? examples.row(example) : undefined;
    const shown = row ? this.#shown(example, row).lines : 0;
    const extra = shown > lines ? Math.max(0, shown * line - apart + 2 * MARGIN + 1 - pitch) : 0;
    return new Shelf({ count: order?.length ?? 0, pitch, top: TOP, open, extra });
  }

  // -- drawing ---------------------------------------------------------------------------------

  paint() {
    const { state, frame } = this;
    const { order, summary } = state;
    const { theme } = frame;
    const font = `${theme.mono} ${theme.font}`;
    if (font !== this.#font) {
      this.#font = font;
      this.#measured.clear();
      this.#layouts.clear();
    }
    const none = summary.examples * summary.timesteps === 0;
    let nothing = none ? "Nothing to show: there is no example." : "";
    if (order?.length === 0 && !none) nothing = "No example passes the filters.";
    if (!order) nothing = "The examples are on their way …";
    write(this.empty, nothing);
    this.header.hidden = this.scroller.root.hidden = nothing !== "";
    if (nothing) return;
    if (this.scroller.width <= 0) this.resize();
    if (this.scroller.width <= 0 || !order) return;
    this.#tellHeads();
    let shelf = this.#shelf;
    this.scroller.grow(Math.min(shelf.height, MOST_HEIGHT));
    shelf = this.#shelf;
    this.scroller.stretch(0, shelf.height);
    this.#place(shelf);
    this.#draw(shelf, order);
  }

  #tellHeads() {
    const { number, classes, method } = this.#lengths;
    const { summary } = this.state;
    const { heads } = this;
    const texts = {
      example: "example",
      classes: summary.predicted
        ? `${summary.called.predicted}${summary.outcome ? ", true" : ""}`
        : summary.called.score,
      method: method ? "method" : "",
      words: summary.tokens ? (summary.spelling === "words" ? "words" : "tokens") : "timesteps",
    };
    for (const [name, text] of Object.entries(texts)) {
      const head = heads[/** @type {keyof typeof heads} */ (name)];
      write(head, text);
    }
    heads.example.style.width = `${EDGE + number}px`;
    heads.classes.style.width = `${classes + 22}px`;
    heads.method.style.width = `${method}px`;
    heads.method.hidden = method === 0;
  }

  /** Scroll to what is selected, if it is to be seen; and keep rows where they were looked at. */
  #place(shelf = this.#shelf) {
    const { scroller } = this;
    const example = this.state.model.get("example");
    const rank = this.#rankOf(example);
    if (this.#held) {
      const held = this.#rankOf(this.#held.example);
      if (held >= 0) scroller.top = shelf.start(held) - this.#held.y;
      this.#held = undefined;
    }
    if (this.#restart) scroller.top = 0;
    if (this.#restart || rank < 0) this.#reveal = false;
    this.#restart = false;
    if (!this.#reveal) return;
    const row = this.state.examples.row(example);
    const { line } = this.#lengths;
    let [start, stop] = [shelf.start(rank), shelf.start(rank) + shelf.size(rank)];
    if (row && stop - start > scroller.height) {
      const shown = this.#shown(example, row);
      const at = shown.lineOf(shown.boxOf(this.state.model.get("timestep")));
      [start, stop] = [start + at * line, start + (at + 1) * line + 2 * MARGIN];
    }
    this.#reveal = !row; // its height is not known yet
    if (start < scroller.top) scroller.top = start;
    else if (stop > scroller.top + scroller.height) scroller.top = stop - scroller.height;
  }

  /**
   * @param {Shelf} shelf
   * @param {Uint32Array} order
   */
  #draw(shelf, order) {
    const { theme } = this.frame;
    const context = this.scroller.prepare();
    if (!context) return;
    context.fillStyle = theme.colour.bg;
    context.fillRect(0, 0, this.scroller.width, this.scroller.height);
    context.textBaseline = "middle";
    const top = this.scroller.top;
    const first = shelf.at(top);
    const last = shelf.at(top + this.scroller.height - 1);
    for (let rank = first; rank <= last; rank++) {
      this.#example(context, order[rank], shelf.start(rank) - top, shelf.size(rank));
    }
    // What is likely to be seen next.
    const ahead = Math.ceil((last - first + 1) * AHEAD);
    for (let step = 1; step <= ahead; step++) {
      for (const rank of [last + step, first - step]) {
        if (rank >= 0 && rank < order.length) this.state.examples.row(order[rank]);
      }
    }
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {number} example
   * @param {number} y
   * @param {number} height
   */
  #example(context, example, y, height) {
    const { frame, state } = this;
    const { theme } = frame;
    const selected = state.model.get("example") === example;
    if (selected) {
      context.fillStyle = css(mix(theme.background, theme.foreground, 0.05));
      context.fillRect(0, y, this.scroller.width, height - 1);
      context.fillStyle = theme.colour.accent;
      context.fillRect(0, y, 3, height - 1);
    }
    context.fillStyle = theme.colour.line;
    context.fillRect(0, y + height - 1, this.scroller.width, 1);
    const row = state.examples.row(example);
    const { number } = this.#lengths;
    context.textAlign = "right";
    context.font = `12px ${theme.font}`;
    context.fillStyle = selected ? theme.colour.fg : theme.colour.muted;
    context.fillText(counted(example), EDGE + number, y + MARGIN + HEAD / 2 + 1);
    if (!row) return;
    this.#classes(context, row, y + MARGIN);
    this.#words(context, example, row, y + MARGIN);
  }

  /**
   * The predicted class and its probability, the true class; for a cell its value.
   * @param {CanvasRenderingContext2D} context
   * @param {Row} row
   * @param {number} y
   */
  #classes(context, row, y) {
    const { theme } = this.frame;
    const { number, classes } = this.#lengths;
    const { summary } = this.state;
    const left = EDGE + number + 10;
    const write = (
      /** @type {string} */ text,
      /** @type {{line?: number, x?: number, room?: number, colour?: string, bold?: boolean}} */ how,
    ) => {
      const { line = 0, x = left, room = classes, colour = theme.colour.fg, bold = false } = how;
      context.fillStyle = colour;
      context.font = `${bold ? "600 " : ""}12px ${theme.font}`;
      const shown = this.#fit(text, room * (bold ? 0.95 : 1), 12, "sans");
      context.fillText(shown, x, y + line * HEAD + HEAD / 2 + 1);
    };
    context.textAlign = "left";
    if (!summary.predicted) {
      write(row.score.toFixed(3).replace("-", "−"), { bold: true });
      if (row.label !== undefined)
        write(visible(row.label), { line: 1, colour: theme.colour.muted });
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
  #words(context, example, row, y) {
    const { state, frame } = this;
    const { theme } = frame;
    const { left, line, method: named } = this.#lengths;
    const shown = this.#shown(example, row);
    const bands = this.#bands;
    const hits = this.#hits(row);
    const looks = bands.map((m) => {
      const band = frame.bands[m];
      return { m, band, values: row.values(m), range: band.range(row.largest(m)) };
    });
    for (let at = 0; at < shown.lines; at++) {
      const top = y + at * line;
      const whole = shown.texts[at];
      if (top > this.scroller.height || top + line < 0) continue;
      for (const [k, { m, band, values, range }] of looks.entries()) {
        const bandTop = top + k * (BAND + SEAM);
        if (named) {
          const chosen = m === state.method;
          context.font = `${chosen ? "600 " : ""}11px ${theme.font}`;
          context.fillStyle = chosen ? theme.colour.fg : theme.colour.muted;
          context.textAlign = "right";
          context.fillText(methodName(band.name), left - 8, bandTop + BAND / 2 + 1);
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
      context.fillText(this.#chip(shown.cut), left + shown.chip + 4, top + BAND / 2 + 1);
    }
    if (state.model.get("example") !== example) return;
    const box = shown.boxOf(state.model.get("timestep"));
    if (box < 0 || box >= shown.count) return;
    const high = bands.length * (BAND + SEAM) - SEAM;
    const top = y + shown.lineOf(box) * line;
    const [x, width] = [left + shown.left[box], shown.widths[box]];
    outline(context, theme, [x - 0.5, top - 0.5, width + 1, high + 1]);
  }

  /**
   * A word in one band.
   * @param {CanvasRenderingContext2D} context
   * @param {{x: number, y: number, width: number, text: string, padding: boolean, value: number,
   *   band: import("../../colour/band.js").Band, range: [number, number]}} what
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
      if (padding) this.#dots(context, x, y, width);
      else this.#slants(context, { x, y, width, colour, nan });
      context.restore();
    }
    context.fillStyle = css(ink(colour));
    const shown = this.#fit(text, width - 1);
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
   */
  #dots(context, x, y, width) {
    const { theme } = this.frame;
    context.fillStyle = css(mix(theme.background, theme.foreground, 0.5));
    for (let dy = 2; dy < BAND; dy += 4) {
      for (let dx = 2; dx < width; dx += 4) context.fillRect(x + dx, y + dy, 1, 1);
    }
  }

  /**
   * NaN is crossed by bars up, what is cut off by lines down.
   * @param {CanvasRenderingContext2D} context
   * @param {{x: number, y: number, width: number, colour: number, nan: boolean}} what
   */
  #slants(context, { x, y, width, colour, nan }) {
    context.strokeStyle = nan ? this.frame.theme.colour.fg : css(mix(colour, ink(colour), 0.65));
    context.lineWidth = nan ? 1.5 : 1;
    context.beginPath();
    for (let at = -BAND; at < width; at += PERIOD) {
      context.moveTo(x + at, nan ? y + BAND : y);
      context.lineTo(x + at + BAND, nan ? y : y + BAND);
    }
    context.stroke();
  }

  /** The words that are searched for. @param {Row} row */
  #hits(row) {
    const search = this.state.model.get("search");
    return search ? row.hits(search) : new Set();
  }

  // -- mouse and keys --------------------------------------------------------------------------

  /**
   * What is under the pointer.
   * @param {MouseEvent} event
   * @returns {{example: number, box?: import("../../layout/word_rows.js").Box, method?: number, chip?: boolean} | undefined}
   */
  #under(event) {
    const { order, examples } = this.state;
    if (!order?.length || this.scroller.root.hidden) return undefined;
    const { x, y: at } = this.scroller.at(event);
    // On a scroll bar is nothing.
    if (x < 0 || x >= this.scroller.width || at < 0 || at >= this.scroller.height) return undefined;
    const shelf = this.#shelf;
    const y = at + this.scroller.top;
    if (y >= shelf.height) return undefined;
    const rank = shelf.at(y);
    const example = order[rank];
    const row = examples.row(example);
    if (!row) return { example };
    const { left, line } = this.#lengths;
    const shown = this.#shown(example, row);
    const inside = y - shelf.start(rank) - MARGIN;
    const number = Math.floor(inside / line);
    const bands = this.#bands;
    const band = Math.floor((inside - number * line) / (BAND + SEAM));
    const method = bands[band];
    if (x < left || number < 0 || method === undefined) return { example, method };
    const last = number === shown.lines - 1;
    if (shown.cut > 0 && last && x >= left + shown.chip) return { example, chip: true };
    const box = shown.at(number, x - left);
    return box < 0 ? { example } : { example, box: shown.boxes[box], method };
  }

  /** @param {MouseEvent} event */
  #click(event) {
    const under = this.#under(event);
    if (!under) return;
    this.#goal = undefined;
    const { model, summary } = this.state;
    const { example, box, method, chip } = under;
    const other = example !== model.get("example");
    const timestep = box?.start ?? (other ? this.#first(example) : model.get("timestep"));
    /** @type {Record<string, unknown>} */
    const values = { example, timestep };
    if (method !== undefined) values.method = summary.methods[method].name;
    if (chip) values.unfolded = true;
    else if (summary.recording === "here") values.exploring = true;
    this.#hold(example);
    this.state.set(values, this.frame);
  }

  /** Keep a row where it is when others change their height. @param {number} example */
  #hold(example) {
    const rank = this.#rankOf(example);
    if (rank < 0) return;
    this.#held = { example, y: this.#shelf.start(rank) - this.scroller.top };
  }

  /** The first timestep of an example that is no padding. @param {number} example */
  #first(example) {
    const mask = this.state.examples.row(example)?.mask;
    return mask ? Math.max(0, mask.indexOf(1)) : 0;
  }

  /** Select the example of a rank, at the word that is nearest to where one comes from. @param {number} to */
  #goTo(to) {
    const { order, model, examples } = this.state;
    if (!order?.length) return;
    const rank = clamp(to, 0, order.length - 1);
    const from = examples.row(model.get("example"));
    if (this.#goal === undefined && from) {
      const shown = this.#shown(model.get("example"), from);
      const box = Math.max(0, shown.boxOf(model.get("timestep")));
      this.#goal = shown.left[box] + shown.widths[box] / 2;
    }
    const example = order[rank];
    const row = examples.row(example);
    let timestep = this.#first(example);
    if (row && this.#goal !== undefined) {
      const { lines } = this.#lengths;
      const shown = this.#layout(example, row, lines);
      timestep = shown.boxes[shown.nearest(0, this.#goal)]?.start ?? timestep;
    }
    this.#reveal = true;
    this.state.set({ example, timestep }, this.frame);
  }

  /** Select another word of the example. @param {(shown: WordRows, box: number) => number} where */
  #step(where) {
    const { model, examples } = this.state;
    const row = examples.row(model.get("example"));
    if (!row) return;
    this.#goal = undefined;
    const shown = this.#layout(model.get("example"), row, Infinity);
    const box = shown.boxOf(model.get("timestep"));
    const to = clamp(where(shown, box), 0, shown.boxes.length - 1);
    this.#reveal = true;
    this.state.set({ timestep: shown.boxes[to].start }, this.frame);
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    const { model, summary, order } = this.state;
    if (event.altKey || !order?.length) return;
    const modified = event.ctrlKey || event.metaKey;
    // From an example that is not shown, keys lead to those that are.
    const rank = this.#rankOf(model.get("example"));
    const page = Math.max(1, Math.floor(this.scroller.height / this.#lengths.pitch) - 1);
    const go = (/** @type {number} */ step) => this.#goTo(rank < 0 ? 0 : rank + step);
    const method = (/** @type {number} */ step) => {
      const to = clamp(this.state.method + step, 0, summary.methods.length - 1);
      this.state.set({ method: summary.methods[to].name }, this.frame);
    };
    /** @type {Record<string, () => void>} */
    const keys = {
      ArrowUp: () => go(-1),
      ArrowDown: () => go(1),
      PageUp: () => go(-page),
      PageDown: () => go(page),
      ArrowLeft: () => this.#step(({ rtl }, box) => box + (rtl ? 1 : -1)),
      ArrowRight: () => this.#step(({ rtl }, box) => box + (rtl ? -1 : 1)),
      Home: () => (modified ? this.#goTo(0) : this.#step(() => 0)),
      End: () =>
        modified ? this.#goTo(order.length - 1) : this.#step(({ boxes }) => boxes.length - 1),
      "[": () => method(-1),
      "]": () => method(1),
      " ": () => {
        this.#reveal = true;
        this.state.set({ unfolded: !model.get("unfolded") }, this.frame);
      },
      Enter: () => this.state.set({ exploring: true }, this.frame),
    };
    const act = keys[event.key];
    if (!act || (modified && !["Home", "End"].includes(event.key))) return;
    event.preventDefault();
    this.#pointer = undefined;
    act();
  }
}
