// Many examples as rows of words, each word on the colour of its relevance, one band a method.

import { Scroller } from "../../canvas/scroller.js";
import { clamp } from "../../lib/clamp.js";
import { element, write } from "../../lib/dom.js";
import { Memo } from "../../lib/memo.js";
import { Drawing } from "./drawing.js";
import { EDGE, MARGIN, Rows } from "./rows.js";
import { StripDrawing } from "./strip_drawing.js";
import { Strips } from "./strips.js";

/** @typedef {import("./frame.js").RelevanceFrame} RelevanceFrame */
/** @typedef {import("../../data/examples.js").Row} Row */
/** @typedef {import("../../layout/word_rows.js").WordRows} WordRows */
/** @typedef {import("../../layout/word_rows.js").Shelf} Shelf */

const MOST_HEIGHT = 560;
/** Rows that are asked for before they are scrolled into view. */
const AHEAD = 1;
const MOVES = new Set(["example", "timestep"]);
/** What is chosen to see what then comes first. */
const ASKS = new Set(["sort", "predicted", "outcome", "search"]);

/** @type {import("../../ui/keys.js").Key[]} */
const KEYS = [
  ["↑ ↓", "the example above, below"],
  ["← →", "the word before, after"],
  ["[ ]", "the method before, after"],
  ["Space", "unfolds an example"],
  ["Enter", "opens it in the Explorer"],
];

/** @type {import("../../ui/keys.js").Key[]} */
const KEYS_OF_SERIES = [
  KEYS[0],
  ["← →", "the timestep before, after"],
  KEYS[2],
  ["c C", "the channel below, above"],
  KEYS[4],
];

export class RelevancePane {
  called = "examples";
  #reveal = true;
  #ticks = new Memo();
  /** Where strips stood when their end was brought into view. */
  #laid = new Memo();
  /** Whether to go to the first row: other rows are shown, or in another order. */
  #restart = false;
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
    const series = this.state.summary.channels.length > 0;
    this.keys = series ? KEYS_OF_SERIES : KEYS;
    this.scroller = new Scroller(
      series ? "lw-rows lw-strips" : "lw-rows",
      "examples",
      series
        ? "Channels of many examples as strips of the colours of their relevance over time. Up and " +
            "down go through the examples, left and right through the timesteps, [ and ] through the " +
            "methods, c and C through the channels; Enter opens an example in the Explorer."
        : "Words of many examples on the colours of their relevance. Up and down go through the " +
            "examples, left and right through the words, [ and ] through the methods; space unfolds " +
            "an example, Enter opens it in the Explorer.",
      () => frame.schedule(),
    );
    /** Of a series: how its strips stand. */
    this.strips = series ? new Strips(frame, this.scroller) : undefined;
    this.rows = this.strips ?? new Rows(frame, this.scroller);
    this.drawing = this.strips
      ? new StripDrawing(frame, this.strips)
      : new Drawing(frame, this.rows);
    this.heads = {
      example: element("span"),
      classes: element("span"),
      method: element("span"),
      channel: element("span"),
      words: element("span"),
    };
    this.header = element(
      "div",
      { class: "lw-rows-head", "aria-hidden": "true" },
      Object.values(this.heads).filter((head) => series || head !== this.heads.channel),
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
    const { example, box, channel } = under;
    return { example, start: box?.start, stop: box?.stop, channel };
  }

  // -- drawing ---------------------------------------------------------------------------------

  paint() {
    const { order, summary } = this.state;
    this.rows.dress();
    const none = summary.examples * summary.timesteps === 0;
    let nothing = none ? "Nothing to show: there is no example." : "";
    if (order?.length === 0 && !none) nothing = "No example passes the filters.";
    if (!order) nothing = "Loading the examples …";
    write(this.empty, nothing);
    this.header.hidden = this.scroller.root.hidden = nothing !== "";
    if (nothing) return;
    if (this.scroller.width <= 0) this.resize();
    if (this.scroller.width <= 0 || !order) return;
    let shelf = this.rows.shelf;
    this.scroller.grow(Math.min(shelf.height, MOST_HEIGHT));
    shelf = this.rows.shelf;
    this.scroller.stretch(this.rows.width, shelf.height);
    this.#place(shelf);
    this.#tellHeads();
    this.#draw(shelf, order);
  }

  #tellHeads() {
    const { number, classes, method } = this.rows.lengths;
    const { summary } = this.state;
    const { heads } = this;
    /** @type {Record<string, string>} */
    const texts = {
      example: "example",
      classes: summary.predicted
        ? `${summary.called.predicted}${summary.outcome ? ", true" : ""}`
        : summary.called.score,
      method: method ? "method" : "",
      channel: "channel",
      words: summary.tokens ? (summary.spelling === "words" ? "words" : "tokens") : "timesteps",
    };
    if (this.strips) {
      delete texts.words;
      this.#tellTicks(this.strips);
    }
    for (const [name, text] of Object.entries(texts)) {
      const head = heads[/** @type {keyof typeof heads} */ (name)];
      write(head, text);
    }
    heads.example.style.width = `${EDGE + number}px`;
    heads.classes.style.width = `${classes + 22}px`;
    heads.method.style.width = `${method}px`;
    heads.method.hidden = method === 0;
    if (this.strips) heads.channel.style.width = `${this.strips.lengths.channel}px`;
  }

  /** What stands above the strips. @param {Strips} strips */
  #tellTicks(strips) {
    const { room } = strips.lengths;
    const ticks = strips.ticks.filter(({ x }) => x >= 0 && x <= room);
    if (!this.#ticks.changed([JSON.stringify(ticks)])) return;
    this.heads.words.replaceChildren(
      ...ticks.map(({ x, text, major }) => {
        const tick = element("span", { class: major ? "lw-date lw-larger" : "lw-date" }, [text]);
        tick.style.left = `${Math.round(x)}px`;
        return tick;
      }),
    );
  }

  /** Scroll to what is selected, if it is to be seen; and keep rows where they were looked at. */
  #place(shelf = this.rows.shelf) {
    const { scroller } = this;
    const example = this.state.model.get("example");
    const rank = this.rows.rankOf(example);
    if (this.#held) {
      const held = this.rows.rankOf(this.#held.example);
      if (held >= 0) scroller.top = shelf.start(held) - this.#held.y;
      this.#held = undefined;
    }
    if (this.#restart) scroller.top = 0;
    if (this.#restart || rank < 0) this.#reveal = false;
    this.#restart = false;
    const { left, room, step } = { step: 0, ...this.rows.lengths };
    const moved = this.#laid.changed([left, room, step]);
    if (this.strips && (this.#reveal || scroller.displaced || moved)) {
      this.strips.reveal(this.state.model.get("timestep"));
      scroller.reveals();
    }
    if (!this.#reveal) return;
    const row = this.state.examples.row(example);
    const { line } = this.rows.lengths;
    let [start, stop] = [shelf.start(rank), shelf.start(rank) + shelf.size(rank)];
    if (row && stop - start > scroller.height) {
      const shown = this.rows.shown(example, row);
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
      this.drawing.example(context, order[rank], shelf.start(rank) - top, shelf.size(rank));
    }
    // What is likely to be seen next.
    const ahead = Math.ceil((last - first + 1) * AHEAD);
    for (let step = 1; step <= ahead; step++) {
      for (const rank of [last + step, first - step]) {
        if (rank >= 0 && rank < order.length) this.state.examples.row(order[rank]);
      }
    }
  }

  // -- mouse and keys --------------------------------------------------------------------------

  /**
   * What is under the pointer.
   * @param {MouseEvent} event
   * @returns {{example: number, box?: import("../../layout/word_rows.js").Box, method?: number, channel?: number,
   *   chip?: boolean} | undefined}
   */
  #under(event) {
    const { order, examples } = this.state;
    if (!order?.length || this.scroller.root.hidden) return undefined;
    const { x, y: at } = this.scroller.at(event);
    // On a scroll bar is nothing.
    if (x < 0 || x >= this.scroller.width || at < 0 || at >= this.scroller.height) return undefined;
    const shelf = this.rows.shelf;
    const y = at + this.scroller.top;
    if (y >= shelf.height) return undefined;
    const rank = shelf.at(y);
    const example = order[rank];
    const row = examples.row(example);
    if (!row) return { example };
    const { left, line } = this.rows.lengths;
    const shown = this.rows.shown(example, row);
    const inside = y - shelf.start(rank) - MARGIN;
    const number = Math.floor(inside / line);
    const band = this.rows.bandAt(inside - number * line);
    if (x < left || number < 0 || !band) return { example, ...band };
    const last = number === shown.lines - 1;
    if (shown.cut > 0 && last && x >= left + shown.chip) return { example, chip: true };
    const box = shown.at(number, this.rows.along(x));
    return box < 0 ? { example } : { example, box: shown.boxes[box], ...band };
  }

  /** @param {MouseEvent} event */
  #click(event) {
    const under = this.#under(event);
    if (!under) return;
    this.#goal = undefined;
    const { model, summary } = this.state;
    const { example, box, method, channel, chip } = under;
    const other = example !== model.get("example");
    const timestep = box?.start ?? (other ? this.#first(example) : model.get("timestep"));
    /** @type {Record<string, unknown>} */
    const values = { example, timestep };
    if (method !== undefined) values.method = summary.methods[method].name;
    if (channel !== undefined) values.channel = channel;
    if (chip) values.unfolded = true;
    else if (summary.recording === "here") values.exploring = true;
    this.#hold(example);
    this.state.set(values, this.frame);
  }

  /** Keep a row where it is when others change their height. @param {number} example */
  #hold(example) {
    const rank = this.rows.rankOf(example);
    if (rank < 0) return;
    this.#held = { example, y: this.rows.shelf.start(rank) - this.scroller.top };
  }

  /** The timestep of an example to begin with: of a series its last, else its first. @param {number} example */
  #first(example) {
    const row = this.state.examples.row(example);
    if (this.strips && row) return row.last;
    const mask = row?.mask;
    return mask ? Math.max(0, mask.indexOf(1)) : 0;
  }

  /** Select the example of a rank, at the word that is nearest to where one comes from. @param {number} to */
  #goTo(to) {
    const { order, model, examples } = this.state;
    if (!order?.length) return;
    const rank = clamp(to, 0, order.length - 1);
    const from = examples.row(model.get("example"));
    if (this.#goal === undefined && from) {
      const shown = this.rows.shown(model.get("example"), from);
      const box = Math.max(0, shown.boxOf(model.get("timestep")));
      this.#goal = shown.left[box] + shown.widths[box] / 2;
    }
    const example = order[rank];
    const row = examples.row(example);
    let timestep = this.#first(example);
    if (row && this.#goal !== undefined) {
      const { lines } = this.rows.lengths;
      const shown = this.rows.layout(example, row, lines);
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
    const shown = this.rows.layout(model.get("example"), row, Infinity);
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
    const rank = this.rows.rankOf(model.get("example"));
    const page = Math.max(1, Math.floor(this.scroller.height / this.rows.lengths.pitch) - 1);
    const go = (/** @type {number} */ step) => this.#goTo(rank < 0 ? 0 : rank + step);
    const method = (/** @type {number} */ step) => {
      const to = clamp(this.state.method + step, 0, summary.methods.length - 1);
      this.state.set({ method: summary.methods[to].name }, this.frame);
    };
    const channel = (/** @type {number} */ step) => {
      const last = Math.max(0, summary.channels.length - 1);
      this.state.set({ channel: clamp(model.get("channel") + step, 0, last) }, this.frame);
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
      c: () => channel(1),
      C: () => channel(-1),
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
