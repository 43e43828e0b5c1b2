// One cell over many short examples, each with its label.

import { shownToken } from "../core/align.js";
import { BLOCK } from "../core/codes.js";
import { before, wrap } from "../core/flow.js";
import { css, ink } from "../core/palettes.js";
import { visible } from "../core/tokens.js";
import { CLIPPED, IS_NAN, PADDING } from "./colours.js";
import { element, menu } from "./dom.js";

const ROW = 26;
const SQUARE = 18;
const EDGE = 12;
const MOST_HEIGHT = 420;
/** Between two examples. */
const APART = 22;
const MOVES = new Set(["example", "timestep", "layer", "sort"]);
const SORTS = /** @type {[string, string][]} */ ([
  ["index", "index"],
  ["value", "value at the timestep"],
]);

/** @typedef {import("./frame.js").Frame} Frame */

export class ExamplePane {
  #width = 0;
  #height = 0;
  #reveal = true;
  /** The height that we gave it. */
  #ownHeight = "";
  #order = new Int32Array(0);
  #rankOf = new Int32Array(0);
  #orderKey = /** @type {unknown[]} */ ([]);
  /** The widest text before the tokens, in characters, as far as labels were seen. */
  #lead = 0;
  /** The column under the pointer. @type {number | undefined} */
  #pointed;

  /** @param {Frame} frame */
  constructor(frame) {
    this.frame = frame;
    const { state } = frame;
    this.state = state;
    this.sort = menu("sort by", (value) => state.set({ sort: value }, frame));
    this.canvas = element("canvas", { "aria-hidden": "true" });
    this.spacer = element("div", { class: "lw-spacer" });
    this.scroller = element(
      "div",
      {
        class: "lw-examples",
        tabindex: 0,
        role: "application",
        "aria-roledescription": "examples",
        "aria-label":
          "One cell over all examples. Left and right go through the timesteps, up and down a row.",
      },
      [element("div", { class: "lw-pinned" }, [this.canvas]), this.spacer],
    );
    this.empty = element("div", { class: "lw-empty" });
    this.menus = [this.sort.root];
    this.tools = [];
    this.body = [this.scroller, this.empty];
    this.scroller.addEventListener("scroll", () => this.frame.schedule());
    this.scroller.addEventListener("keydown", (event) => this.#key(event));
    this.scroller.addEventListener("click", (event) => {
      const column = this.#under(event);
      if (column !== undefined) state.select(column, this.frame);
    });
    this.scroller.addEventListener("pointermove", (event) => {
      const column = this.#under(event);
      if (column === this.#pointed) return;
      this.#pointed = column;
      this.frame.schedule();
    });
    this.scroller.addEventListener("pointerleave", () => {
      this.#pointed = undefined;
      this.frame.schedule();
    });
    this.resizing = new ResizeObserver(() => {
      this.resize();
      this.frame.schedule();
    });
    this.resizing.observe(this.scroller);
  }

  /** Under a pointer that rests, the cell may become another one. */
  get hovered() {
    const column = this.#pointed;
    return column === undefined ? undefined : { cell: this.state.model.get("cell"), column };
  }

  destroy() {
    this.resizing.disconnect();
  }

  /** @param {Set<string>} names */
  changed(names) {
    const { origin } = this.state;
    const elsewhere = origin !== undefined && origin !== this.frame;
    for (const name of names) if (MOVES.has(name) && !elsewhere) this.#reveal = true;
  }

  resize() {
    this.#width = this.scroller.clientWidth;
    this.#height = this.scroller.clientHeight;
  }

  #font() {
    return `13px ${this.frame.theme.mono}`;
  }

  /** Where the items stand. */
  #places() {
    const { examples, timesteps } = this.state.layer;
    const lead = Math.ceil(this.#lead * 7.83) + (this.#lead ? 4 : 0);
    const width = lead + timesteps * SQUARE + APART;
    const { across, rows, pitch } = wrap(examples, width, this.#width - 2 * EDGE + APART);
    return { lead, across, rows, pitch, height: rows * ROW + 2 * 8 };
  }

  /** The tokens of an example. @param {number} example */
  #tokens(example) {
    const { timesteps } = this.state.layer;
    const align = this.state.model.get("align");
    const { source } = this.frame;
    return Array.from(
      { length: timesteps },
      (_, t) => (source && shownToken(source, example * timesteps + t, align)) ?? "",
    );
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
    const blocks = byValue
      ? Array.from({ length: Math.ceil(source.columns / BLOCK) }, (_, b) => source.tile(0, b, cell))
      : [];
    const key = [source, sort, ...(byValue ? [cell, timestep, ...blocks] : [])];
    if (key.length === this.#orderKey.length && key.every((part, i) => part === this.#orderKey[i]))
      return;
    if (source !== this.#orderKey[0]) this.#lead = 0;
    this.#orderKey = key;
    this.#order = Int32Array.from({ length: examples }, (_, example) => example);
    if (byValue) {
      const value = Float32Array.from(this.#order, (example) => {
        const column = example * timesteps + timestep;
        const code = blocks[Math.floor(column / BLOCK)]?.[column % BLOCK];
        return source.exact(cell, column) ?? code ?? source.coarse(cell, 0, column);
      });
      const key = (/** @type {number} */ example) =>
        Number.isNaN(value[example]) ? Number.NEGATIVE_INFINITY : value[example];
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
    const nothing =
      source.columns * source.layer.cells === 0 ? "Nothing to show: no timestep was recorded." : "";
    if (this.empty.textContent !== nothing) this.empty.textContent = nothing;
    if (this.#width <= 0) return;
    this.#measure(source);
    let places = this.#places();
    // As high as it needs to be, until a person drags its corner.
    const height = `${Math.min(places.height, MOST_HEIGHT)}px`;
    if (this.scroller.style.height === this.#ownHeight && height !== this.#ownHeight) {
      this.#ownHeight = height;
      this.scroller.style.height = height;
      this.resize();
      places = this.#places();
    }
    this.spacer.style.height = `${places.height}px`;
    if (this.#reveal) this.#show(places);
    this.#reveal = false;

    const ratio = window.devicePixelRatio || 1;
    const { canvas } = this;
    const size = [Math.round(this.#width * ratio), Math.round(this.#height * ratio)];
    if (canvas.width !== size[0] || canvas.height !== size[1]) {
      [canvas.width, canvas.height] = size;
      canvas.style.width = `${this.#width}px`;
      canvas.style.height = `${this.#height}px`;
    }
    const context = canvas.getContext("2d");
    if (!context) return;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = theme.colour.bg;
    context.fillRect(0, 0, this.#width, this.#height);
    context.font = this.#font();
    context.textBaseline = "middle";
    const top = this.scroller.scrollTop;
    const first = Math.max(0, Math.floor((top - 8) / ROW)) * places.across;
    const stop = Math.min(
      this.#order.length,
      Math.ceil((top + this.#height) / ROW) * places.across,
    );
    for (let rank = first; rank < stop; rank++) {
      const x = EDGE + (rank % places.across) * places.pitch;
      const y = 8 + Math.floor(rank / places.across) * ROW - top;
      this.#example(context, this.#order[rank], x, y, places.lead);
    }
  }

  /** The widest label in view decides where the squares start, the same for all. @param {import("./frame.js").AnySource} source */
  #measure(source) {
    const { examples } = source.layer;
    const some = Math.min(examples, 400);
    for (let i = 0; i < some; i++) {
      const text = before(source.label(i), this.#tokens(i));
      this.#lead = Math.max(
        this.#lead,
        source.layer.labels ? [...text].length : String(examples - 1).length,
      );
    }
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {number} example
   * @param {number} x
   * @param {number} y
   * @param {number} lead
   */
  #example(context, example, x, y, lead) {
    const { source, colours, theme } = this.frame;
    if (!source || !colours) return;
    const { model } = this.state;
    const cell = model.get("cell");
    const { timesteps } = source.layer;
    const selected = model.get("example") === example;
    const tokens = this.#tokens(example);
    const label = source.label(example);
    const middle = y + ROW / 2;
    const text = source.layer.labels ? before(label, tokens) : String(example);
    context.textAlign = "right";
    context.fillStyle = selected ? theme.colour.fg : theme.colour.muted;
    const safe = [...text].map((c) => (c === " " ? c : visible(c))).join("");
    context.fillText(safe, x + lead - 4, middle + 0.5);
    context.textAlign = "center";
    for (let t = 0; t < timesteps; t++) {
      const column = example * timesteps + t;
      // By its code, as everywhere: exact values are asked for one stretch at a time, to be read.
      const code =
        source.tile(0, Math.floor(column / BLOCK), cell)?.[column % BLOCK] ??
        source.coarse(cell, 0, column);
      let colour = colours.row(cell)[code];
      let mark = colours.marks(cell)[code];
      if (source.padding(column)) {
        mark = PADDING;
        colour = colours.pattern(PADDING, colour, 1, 1);
      }
      const left = x + lead + t * SQUARE;
      context.fillStyle = css(colour);
      context.fillRect(left, y + 3, SQUARE - 1, ROW - 6);
      context.fillStyle = css(ink(colour));
      if (mark === IS_NAN || mark === CLIPPED) {
        // The same slant as in the grid: what is drawn here is no plain value.
        context.strokeStyle = css(ink(colour));
        context.lineWidth = mark === IS_NAN ? 2 : 1;
        context.beginPath();
        context.moveTo(left + 1, y + ROW - 4);
        context.lineTo(left + SQUARE - 2, y + 4);
        context.stroke();
      }
      context.fillText(
        [...visible(tokens[t])].slice(0, 2).join(""),
        left + (SQUARE - 1) / 2,
        middle + 0.5,
      );
      if (selected) {
        const chosen = model.get("timestep") === t;
        context.strokeStyle = chosen ? theme.colour.fg : theme.colour.muted;
        context.lineWidth = chosen ? 2 : 1;
        context.strokeRect(left - 0.5, y + 2.5, SQUARE, ROW - 5);
      }
    }
  }

  /** @param {{across: number}} places */
  #show(places) {
    const rank = this.#rankOf[this.state.model.get("example")] ?? 0;
    const y = Math.floor(rank / places.across) * ROW;
    const top = this.scroller.scrollTop;
    if (y < top) this.scroller.scrollTop = y;
    else if (y + ROW + 16 > top + this.#height)
      this.scroller.scrollTop = y + ROW + 16 - this.#height;
  }

  /** Which column is under the pointer. @param {MouseEvent} event */
  #under(event) {
    const { source } = this.frame;
    if (!source || source.columns === 0) return undefined;
    const places = this.#places();
    const box = this.scroller.getBoundingClientRect();
    const x = event.clientX - box.left - EDGE;
    const y = event.clientY - box.top - 8 + this.scroller.scrollTop;
    const across = Math.floor(x / places.pitch);
    if (x < 0 || y < 0 || across >= places.across) return undefined;
    const example = this.#order[Math.floor(y / ROW) * places.across + across];
    if (example === undefined) return undefined;
    const t = Math.floor((x - across * places.pitch - places.lead) / SQUARE);
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
      const example = this.#order[Math.max(0, Math.min(examples - 1, to))];
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
    const act = keys[event.key];
    if (!act || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    act();
  }
}
