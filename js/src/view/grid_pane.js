// All cells over all timesteps.

import { orderCells } from "../core/order.js";
import { button, div, element, listen, menu, press, tick } from "./dom.js";
import { Grid } from "./grid.js";
import { Overview } from "./overview.js";

const SORTS = /** @type {[string, string][]} */ ([
  ["index", "index"],
  ["mean_magnitude", "mean |value|"],
  ["variance", "variance"],
  ["similarity", "similarity"],
]);
/** Whose change may move the selection out of sight. */
const MOVES = new Set(["cell", "example", "timestep", "layer", "sort"]);

/** @typedef {import("./frame.js").Frame} Frame */

export class GridPane {
  /** @type {Int32Array} */
  #order = new Int32Array(0);
  /** @type {Int32Array} */
  #rowOf = new Int32Array(0);
  #orderKey = /** @type {unknown[]} */ ([]);
  /** The cell that the rows are sorted by similarity to; the grid's own steps keep it. */
  #anchor = -1;
  #stepping = false;
  #reveal = true;
  #sized = false;
  #shown = false;

  /** @param {Frame} frame */
  constructor(frame) {
    this.frame = frame;
    const { state } = frame;
    this.state = state;
    const set = (/** @type {string} */ name) => (/** @type {unknown} */ value) =>
      state.set({ [name]: value }, frame);
    this.sort = menu("sort by", set("sort"));
    this.quiet = tick("hide quiet cells", set("hide_quiet_cells"));
    this.grid = new Grid({
      select: (cell, column) => this.#step({ cell }, column),
      brush: (from, to) => this.state.brush(from, to, this.frame),
      hover: () => this.frame.schedule(),
      change: () => this.frame.schedule(),
    });
    this.overview = new Overview((x, y) => this.#go(x, y));
    this.empty = div("lw-empty");
    this.menus = [this.sort.root];
    this.tools = [
      this.quiet.root,
      element("div", { class: "lw-zoom", role: "group", "aria-label": "zoom" }, [
        button("−", "zoom out", () => this.grid.zoom(-1)),
        button("+", "zoom in", () => this.grid.zoom(1)),
        button("all", "show everything", () => this.grid.fit()),
      ]),
    ];
    this.body = [this.grid.root, this.empty, this.overview.root];
    listen(this.grid.root, "keydown", (event) => this.#key(event));
  }

  destroy() {
    this.grid.view.destroy();
  }

  resize() {
    this.grid.view.resize();
    this.overview.resize();
  }

  get hovered() {
    return this.grid.hovered;
  }

  /** @param {Set<string>} names */
  changed(names) {
    if (this.frame.follows(names, MOVES)) this.#reveal = true;
    if (!this.#stepping && (names.has("cell") || names.has("sort"))) this.#anchor = -1;
  }

  /**
   * A step of the selection inside the grid.
   * @param {Record<string, unknown>} more
   * @param {number} column
   */
  #step(more, column) {
    this.#stepping = true;
    this.state.select(column, this.frame, more);
    this.#stepping = false;
  }

  #arrange() {
    const { model } = this.state;
    const source = this.frame.source;
    if (!source) return;
    const sort = model.get("sort");
    if (this.#anchor < 0) this.#anchor = model.get("cell");
    const similarity = sort === "similarity" ? source.similarity(this.#anchor) : undefined;
    if (sort === "similarity" && !similarity && this.#orderKey[0] === source) return; // on its way
    const quietBelow = model.get("hide_quiet_cells") ? model.get("threshold") : undefined;
    const anchor = sort === "similarity" ? [this.#anchor, !similarity] : [0, false];
    const key = [source, sort, quietBelow, ...anchor];
    if (key.every((part, i) => part === this.#orderKey[i])) return;
    this.#orderKey = key;
    const { meanMagnitude, variance } = source.statistics;
    const { cells } = source.layer;
    this.#order = orderCells({ cells, sort, meanMagnitude, variance, similarity, quietBelow });
    this.#rowOf = new Int32Array(cells).fill(-1);
    this.#order.forEach((cell, row) => {
      this.#rowOf[cell] = row;
    });
    this.#reveal = true;
  }

  paint() {
    const { model, column } = this.state;
    const { source, colours, theme } = this.frame;
    this.sort.update(SORTS, model.get("sort"));
    this.quiet.update(model.get("hide_quiet_cells"));
    if (!source || !colours) return;
    this.#arrange();
    const scene = {
      source,
      colours,
      theme,
      order: this.#order,
      rowOf: this.#rowOf,
      cell: model.get("cell"),
      column,
      align: model.get("align"),
      tracks: this.state.tracks,
      span: this.state.span,
    };
    this.grid.show(scene);
    if (!this.#sized) {
      this.#sized = true;
      this.grid.square = source.layer.tokens ? 15 : 6;
      this.grid.root.style.height = `${this.grid.preferredHeight()}px`;
      this.grid.view.resize();
    }
    if (this.#reveal) this.grid.reveal(this.#shown);
    this.#reveal = false;
    this.#shown = true;
    this.grid.paint();
    this.overview.paint(scene, this.grid.seen);
    const nothing =
      source.columns * source.layer.cells === 0
        ? "Nothing to show: no timestep was recorded."
        : this.#order.length === 0
          ? "Every cell is below the threshold."
          : "";
    if (this.empty.textContent !== nothing) this.empty.textContent = nothing;
  }

  /**
   * Bring a place of the overview to the middle.
   * @param {number} x
   * @param {number} y
   */
  #go(x, y) {
    const { left, top } = this.grid.seen;
    const { total } = this.grid.columns;
    this.grid.scrollTo("left", (x - (left[1] - left[0]) / 2) * total);
    const rows = this.grid.wholeHeight;
    this.grid.scrollTo("top", (y - (top[1] - top[0]) / 2) * rows);
    this.frame.schedule();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const { model, column, layer } = this.state;
    const row = this.#rowOf[model.get("cell")] ?? 0;
    const modified = event.ctrlKey || event.metaKey;
    const to = (/** @type {number} */ next) => {
      const cell = this.#order[Math.max(0, Math.min(this.#order.length - 1, next))];
      if (cell !== undefined) this.#step({ cell }, column);
    };
    const side = (/** @type {number} */ step) =>
      event.shiftKey ? this.state.extend(step, this.frame) : this.#step({}, column + step);
    const first = model.get("example") * layer.timesteps;
    const end = layer.examples * layer.timesteps - 1;
    /** @type {Record<string, () => void>} */
    const keys = {
      ArrowUp: () => to(row - 1),
      ArrowDown: () => to(row + 1),
      ArrowLeft: () => side(-1),
      ArrowRight: () => side(1),
      Home: () => this.#step(modified ? { cell: this.#order[0] ?? 0 } : {}, modified ? 0 : first),
      End: () =>
        modified
          ? this.#step({ cell: this.#order[this.#order.length - 1] ?? 0 }, end)
          : this.#step({}, first + layer.timesteps - 1),
      PageUp: () => to(row - 10),
      PageDown: () => to(row + 10),
      "+": () => this.grid.zoom(1),
      "=": () => this.grid.zoom(1),
      "-": () => this.grid.zoom(-1),
      0: () => this.grid.fit(),
    };
    press(event, keys, ["Home", "End"]);
  }
}
