// All cells over all timesteps.

import { halfBelow, orderCells } from "../../data/order.js";
import { clamp } from "../../lib/clamp.js";
import { div, element, listen, write } from "../../lib/dom.js";
import { press } from "../../lib/keyboard.js";
import { Memo } from "../../lib/memo.js";
import { NOTHING_RECORDED, short } from "../../lib/wording.js";
import { button, menu, smallButton, tick } from "../../ui/controls.js";
import { Grid } from "./grid.js";
import { Overview } from "./overview.js";

const SORTS = /** @type {[string, string][]} */ ([
  ["index", "index"],
  ["mean_magnitude", "mean |value|"],
  ["variance", "variance"],
  ["similarity", "similarity"],
  ["order", "as given"],
]);
/** Whose change may move the selection out of sight. */
const MOVES = new Set(["cell", "example", "timestep", "layer"]);
const SORTED = new Set(["sort", "order"]);

/** @typedef {import("../../ui/frame.js").Frame} Frame */

/** @type {import("../../ui/keys.js").Key[]} */
const KEYS = [
  ["↑ ↓", "the cell above, below"],
  ["← →", "the timestep before, after"],
  ["Shift_← Shift_→", "chooses a span"],
  ["Home End", "the ends of the example; with Ctrl, of everything"],
  ["PageUp PageDown", "ten cells up, down"],
  ["+ −", "zooms in, out"],
  ["0", "shows everything"],
  ["Ctrl_wheel, pinch", "zooms where the pointer is"],
  ["drag", "over the tokens, or the dates, chooses a span of them"],
];

export class GridPane {
  called = "grid";
  channels = true;
  keys = KEYS;
  /** @type {Int32Array} */
  #order = new Int32Array(0);
  /** @type {Int32Array} */
  #rowOf = new Int32Array(0);
  #arranged = new Memo();
  /** What the order is of, and how it was chosen. */
  #ordered = { source: /** @type {unknown} */ (undefined), sort: "" };
  /** The cell that the rows are sorted by similarity to; the grid's own steps keep it. */
  #anchor = -1;
  #stepping = false;
  #reveal = true;
  /** Whether the rows are to be shown from the first one on, once they are in order. */
  #restart = false;
  #sized = false;
  /** A threshold that would leave some cells. */
  #suiting = 0;
  #shown = false;
  /** Where it was zoomed and scrolled to, and what was pointed at. */
  #noted = new Memo();
  /** Is told where a grid that stands beside it is to follow. @type {() => void} */
  moved = () => {};

  /** @param {Frame} frame */
  constructor(frame) {
    this.frame = frame;
    const { state } = frame;
    this.state = state;
    const set = state.setter(frame);
    this.sort = menu("sort by", set("sort"), "The order of the rows, from the top.");
    this.quiet = tick(
      "hide quiet cells",
      set("hide_quiet_cells"),
      "Leave out the cells whose mean |value| over all timesteps is below the threshold.",
    );
    this.quietBelow = element("span", { "aria-hidden": "true" });
    this.grid = new Grid({
      select: (cell, column) => this.#step({ cell }, column),
      brush: (from, to) => this.state.brush(from, to, this.frame),
      hover: () => this.#moved(),
      change: () => this.#moved(),
    });
    this.overview = new Overview((x, y) => this.#go(x, y));
    this.told = element("span");
    this.suited = smallButton("", "", () => state.set({ threshold: this.#suiting }, frame));
    this.empty = div("lw-empty", [this.told, this.suited]);
    this.menus = [this.sort.root];
    this.tools = [
      element("div", { class: "lw-menu" }, [this.quietBelow, this.quiet.root]),
      element("div", { class: "lw-zoom", role: "group", "aria-label": "zoom" }, [
        button("−", "zoom out (−)", () => this.grid.zoom(-1)),
        button("+", "zoom in (+)", () => this.grid.zoom(1)),
        button("all", "show everything (0)", () => this.grid.fit()),
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

  #moved() {
    this.frame.schedule();
    if (this.#noted.changed(this.#place)) this.moved();
  }

  get #place() {
    const { square, view, hovered } = this.grid;
    return [square, view.left, view.top, hovered?.cell, hovered?.column];
  }

  /**
   * Be zoomed, scrolled and pointed at as a grid that stands beside it.
   * @param {GridPane} other
   * @param {(cell: number) => number | undefined} partner the cell here that belongs to one there
   */
  follow(other, partner) {
    const { hovered } = other.grid;
    const cell = hovered && partner(hovered.cell);
    this.grid.follow(other.grid);
    this.grid.hovered = hovered && cell !== undefined ? { ...hovered, cell } : undefined;
    // The browser tells of it later, when the other may have moved on.
    this.#noted.changed(this.#place);
    this.frame.schedule();
  }

  /** @param {Set<string>} names */
  changed(names) {
    if (this.frame.follows(names, MOVES)) this.#reveal = true;
    if (this.frame.follows(names, SORTED)) this.#restart = true;
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
    const { ordered } = source;
    if (sort === "similarity" && !similarity && this.#ordered.source === ordered) return; // on its way
    const quietBelow = model.get("hide_quiet_cells") ? model.get("threshold") : undefined;
    const anchor = sort === "similarity" ? [this.#anchor, !similarity] : [0, false];
    const given = model.get("order");
    const key = [ordered, sort, given, quietBelow, ...anchor];
    if (!this.#arranged.changed(key)) return;
    this.#ordered = { source: ordered, sort };
    const { loudest } = source;
    const { meanMagnitude, variance } = source.compared;
    const { cells } = source.layer;
    const by = { sort, given, meanMagnitude, variance, similarity };
    this.#order = orderCells({ cells, ...by, loudest, quietBelow });
    this.#rowOf = new Int32Array(cells).fill(-1);
    this.#order.forEach((cell, row) => {
      this.#rowOf[cell] = row;
    });
    this.#reveal = true;
  }

  paint() {
    const { model, column } = this.state;
    const { source, colours, theme } = this.frame;
    const given = model.get("order").length > 0;
    const sorts = SORTS.filter(([sort]) => sort !== "order" || given);
    this.sort.update(sorts, model.get("sort"));
    this.quiet.update(model.get("hide_quiet_cells"));
    const below = `mean |value| < ${short(model.get("threshold"))}`;
    write(this.quietBelow, below);
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
      lines: this.state.lines,
    };
    this.grid.show(scene);
    if (!this.#sized) {
      this.#sized = true;
      // Tokens are read one by one; of times, a stretch is looked at.
      this.grid.square = source.layer.tokens ? 15 : source.layer.times ? 2 : 6;
      this.grid.root.style.height = `${this.grid.preferredHeight()}px`;
      this.grid.view.resize();
    }
    const { view } = this.grid;
    const { displaced } = view;
    // Who sorts looks for what comes first; who has named a cell, for that cell.
    const sorted = model.get("sort") !== "index" && this.#ordered.sort === model.get("sort");
    if (!this.#shown && sorted && model.get("cell") === 0) this.#restart = true;
    if (this.#restart && this.#ordered.sort === model.get("sort")) {
      this.#reveal = this.#restart = false;
      view.top = 0;
    }
    if (this.#reveal || displaced) {
      this.grid.reveal(this.#shown && !displaced);
      view.reveals();
    }
    this.#reveal = false;
    this.#shown = true;
    this.grid.paint();
    this.overview.paint(scene, this.grid.seen);
    this.#tellEmpty(source);
  }

  /** Say why there are no rows, and what would bring some. @param {import("../../data/source.js").AnySource} source */
  #tellEmpty(source) {
    const { cells } = source.layer;
    const threshold = short(this.state.model.get("threshold"));
    const nothing = source.columns * cells === 0;
    const hidden = !nothing && this.#order.length === 0;
    this.#suiting = hidden ? halfBelow(source.loudest) : 0;
    this.empty.hidden = !nothing && !hidden;
    this.told.textContent = hidden
      ? `The mean |value| of ${cells === 1 ? "the only cell" : `all ${cells} cells`} is below ${threshold}. `
      : nothing
        ? NOTHING_RECORDED
        : "";
    const offer = this.#suiting ? `hide those below ${short(this.#suiting)} instead` : "";
    this.suited.textContent = offer;
    this.suited.title = "Set the threshold to it, which keeps the more active half of the cells.";
    this.suited.setAttribute("aria-label", offer);
    this.suited.hidden = this.#suiting === 0;
  }

  /**
   * Bring a place of the overview to the middle.
   * @param {number} x
   * @param {number} y
   */
  #go(x, y) {
    const { left, top } = this.grid.seen;
    const { total } = this.grid.columns;
    this.grid.view.left = (x - (left[1] - left[0]) / 2) * total;
    this.grid.view.top = (y - (top[1] - top[0]) / 2) * this.grid.wholeHeight;
    this.frame.schedule();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const { model, column, layer } = this.state;
    const row = this.#rowOf[model.get("cell")] ?? 0;
    const modified = event.ctrlKey || event.metaKey;
    const to = (/** @type {number} */ next) => {
      const cell = this.#order[clamp(next, 0, this.#order.length - 1)];
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
