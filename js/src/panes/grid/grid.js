// The grid itself: one canvas in a scrolling frame, with the cells' numbers at its left and the tokens
// along its top. Its scroll and zoom are its own; the selection is the model's.

import { gestures } from "../../canvas/gestures.js";
import { drawHead, GUTTER, headOf } from "../../canvas/head.js";
import { outline } from "../../canvas/outline.js";
import { Scroller } from "../../canvas/scroller.js";
import { cellNumber } from "../../data/layer.js";
import { Columns, fitHeight, fitWidth, runs, squareOf, zoomStep } from "../../layout/columns.js";
import { revealing } from "../../layout/scrolling.js";
import { clamp } from "../../lib/clamp.js";
import { listen } from "../../lib/dom.js";
import { LETTERED, Painter } from "./painter.js";

/** @typedef {import("../../data/source.js").AnySource} AnySource */

/** Rows higher than this only waste room when everything fits. */
const MOST_ROW = 22;
/** Rows of columns narrower than they are high. */
const TIMED_ROW = 12;

/**
 * @typedef {object} Scene
 * @property {AnySource} source
 * @property {Int32Array} order
 * @property {Int32Array} rowOf the row of each cell, -1 if it is hidden
 * @property {import("../../colour/colours.js").Colours} colours
 * @property {import("../../colour/theme.js").Theme} theme
 * @property {number} cell the selected cell
 * @property {number} column the selected column
 * @property {string} align which token stands at a column
 * @property {import("../../data/tracks.js").Track[]} tracks
 * @property {import("../../data/lines.js").Lines | undefined} lines the series beside the signals
 * @property {number[] | undefined} span its first column and that after its last
 */

export class Grid {
  #painter = new Painter();
  /** @type {Scene | undefined} */
  #scene;
  square = 15;
  /** How many rows a grid has that stands beside it: rows of both are as high. */
  beside = 0;
  /** What it was when fingers began to pinch. */
  #pinched = 15;
  /** Whether the pointer went down on the tokens. */
  #brushing = false;
  /** @type {{cell: number, column: number} | undefined} */
  hovered;

  /**
   * @param {object} on
   * @param {(cell: number, column: number) => void} on.select
   * @param {(from: number, to: number) => void} on.brush columns of tokens that are dragged over
   * @param {() => void} on.hover
   * @param {() => void} on.change whatever needs a new frame
   */
  constructor(on) {
    this.on = on;
    this.view = new Scroller(
      "lw-grid",
      "grid of cells and timesteps",
      "Values of all cells. Arrow keys move, Home and End go to the ends of a row, " +
        "Page up and Page down go ten rows, plus and minus zoom, 0 shows all, " +
        "shift with left and right chooses a span.",
      on.change,
    );
    const { root } = this.view;
    this.root = root;
    listen(root, "pointermove", (event) => this.#hover(event));
    listen(root, "pointerleave", () => {
      this.hovered = undefined;
      on.hover();
    });
    listen(root, "click", (event) => {
      const under = this.#under(event);
      if (under && !this.#brushing) on.select(under.cell, under.column);
    });
    const column = (/** @type {number} */ x) => this.columns.nearest(this.view.left + x - GUTTER);
    let from = 0;
    let left = false;
    gestures(root, {
      press: (event) => {
        const { x, y } = this.view.at(event);
        const above = this.#header - y;
        this.#brushing = above > 0 && above <= this.#tokens && x >= GUTTER;
        left = false;
        if (!this.#scene || !this.#brushing) return false;
        from = column(x);
        on.select(this.#scene.cell, from);
        return true;
      },
      drag: (event) => {
        const to = column(this.view.at(event).x);
        left ||= to !== from;
        if (left) on.brush(from, to);
      },
    });
    this.view.onZoom({
      step: (direction, x, y) => this.zoom(direction, x, y),
      begin: () => {
        this.#pinched = clamp(this.#all, this.square, 1);
      },
      scale: (factor, x, y) => this.#resize(squareOf(this.#pinched * factor), x, y),
    });
  }

  get #header() {
    return headOf(this.#scene?.source.layer, this.#scene?.tracks ?? [], this.#scene?.lines).height;
  }

  /** How much of that chooses columns: not the labels of the examples. */
  get #tokens() {
    return headOf(this.#scene?.source.layer, this.#scene?.tracks ?? [], this.#scene?.lines).chooses;
  }

  get #room() {
    return Math.max(1, this.view.width - GUTTER);
  }

  /** Width of a column: as zoomed, but no narrower than shows all. */
  get #columnWidth() {
    const { examples = 1, timesteps = 1 } = this.#scene?.source.layer ?? {};
    return Math.max(this.square, fitWidth(examples, timesteps, this.#room));
  }

  get #rowHeight() {
    const room = this.view.height - this.#header;
    return Math.max(Math.min(this.square, 32), fitHeight(this.#rows, room));
  }

  /** For how many rows there is to be room. */
  get #rows() {
    return Math.max(this.#scene?.order.length ?? 0, this.beside);
  }

  get columns() {
    const { examples = 0, timesteps = 0 } = this.#scene?.source.layer ?? {};
    return new Columns(examples, timesteps, this.#columnWidth);
  }

  /** Height of all rows. */
  get wholeHeight() {
    return this.#rowHeight * this.#rows;
  }

  /** The height that shows every row, as far as a page has room. */
  preferredHeight() {
    const least = this.#scene?.source.layer.times ? TIMED_ROW : 6;
    const square = Math.min(MOST_ROW, Math.max(this.square, least));
    const most = Number(getComputedStyle(this.root).getPropertyValue("--lw-most")) || 400;
    return this.#header + clamp(this.#rows * square, 60, most) + 14;
  }

  /** Be zoomed and scrolled as a grid that stands beside it. @param {Grid} other */
  follow(other) {
    this.square = other.square;
    this.#stretch();
    this.view.left = other.view.left;
    this.view.top = other.view.top;
  }

  // -- scrolling: where the frame stands, in CSS pixels of the whole ------------------------------

  /** How much there is of columns or rows, and how much of it is seen. @param {"left" | "top"} side */
  #extent(side) {
    return side === "left"
      ? { whole: this.columns.total, room: this.#room }
      : { whole: this.wholeHeight, room: this.view.height - this.#header };
  }

  /**
   * Scroll so that the selected square is seen.
   * @param {boolean} gently as little as will do, where it is near; otherwise it comes to the middle
   */
  reveal(gently) {
    const scene = this.#scene;
    if (!scene || this.view.width === 0) return;
    this.#stretch();
    const { columns } = this;
    const row = scene.rowOf[scene.cell];
    const place = (
      /** @type {"left" | "top"} */ side,
      /** @type {number} */ start,
      /** @type {number} */ size,
    ) => {
      const at = this.view[side];
      const to = revealing(at, start, size, this.#extent(side).room, gently);
      if (to !== at) this.view[side] = to;
    };
    if (columns.total > 0) place("left", columns.start(scene.column), columns.width);
    if (row >= 0) place("top", row * this.#rowHeight, this.#rowHeight);
  }

  #stretch() {
    this.view.stretch(GUTTER + this.columns.total, this.#header + this.wholeHeight);
  }

  /**
   * @param {number} direction 1 in, -1 out
   * @param {number} x what stays under this place of the frame
   * @param {number} y
   */
  zoom(
    direction,
    x = GUTTER + this.#room / 2,
    y = this.#header + (this.view.height - this.#header) / 2,
  ) {
    const least = direction > 0 ? Math.min(this.#all, 1) : 0;
    this.#resize(zoomStep(Math.max(this.square, least), direction), x, y);
  }

  /** The square with which everything is seen. */
  get #all() {
    return Math.min(this.#columnWidth, this.#rowHeight);
  }

  /**
   * @param {number} square
   * @param {number} x what stays under this place of the frame
   * @param {number} y
   */
  #resize(square, x, y) {
    const inX = Math.max(0, x - GUTTER);
    const inY = Math.max(0, y - this.#header);
    // What is under the place stays there: which column, and which part of it.
    const column = this.columns.nearest(this.view.left + inX);
    const into = (this.view.left + inX - this.columns.start(column)) / this.columns.width;
    const part = clamp(into, 0, 1);
    const row = (this.view.top + inY) / this.#rowHeight;
    const all = this.#all;
    this.square = square;
    // Below what shows all, there is nothing more to see.
    if (square < all && this.#columnWidth > square && this.#rowHeight > square)
      this.square = this.#all;
    this.#stretch();
    this.view.left = this.columns.start(column) + part * this.columns.width - inX;
    this.view.top = row * this.#rowHeight - inY;
    this.on.change();
  }

  /** Show everything at once. */
  fit() {
    this.square = 2 ** -20;
    this.on.change();
  }

  // -- the pointer --------------------------------------------------------------------------------

  /** @param {MouseEvent} event */
  #under(event) {
    const scene = this.#scene;
    if (!scene) return undefined;
    const { x, y } = this.view.at(event);
    if (x >= this.view.width || y >= this.view.height || y < this.#header) return undefined;
    const row = Math.floor((this.view.top + y - this.#header) / this.#rowHeight);
    const cell = scene.order[row];
    if (cell === undefined) return undefined;
    if (x < GUTTER) return { cell, column: scene.column };
    const column = this.columns.at(this.view.left + x - GUTTER);
    return column < 0 ? undefined : { cell, column };
  }

  /** @param {PointerEvent} event */
  #hover(event) {
    const under = this.#under(event);
    if (under?.cell === this.hovered?.cell && under?.column === this.hovered?.column) return;
    this.hovered = under;
    this.on.hover();
  }

  // -- drawing ------------------------------------------------------------------------------------

  /** Which part of the whole is in view, as shares from 0 to 1. */
  get seen() {
    const part = (/** @type {"left" | "top"} */ side) => {
      const { whole, room } = this.#extent(side);
      if (whole <= 0) return [0, 1];
      const start = this.view[side] / whole;
      return [start, Math.min(1, start + room / whole)];
    };
    return { left: part("left"), top: part("top") };
  }

  /** How many pixels a mean magnitude's bar gets. */
  static BAR = 30;

  /** @param {Scene} scene */
  show(scene) {
    this.#scene = scene;
  }

  paint() {
    const scene = this.#scene;
    const width = this.view.width;
    const height = this.view.height;
    if (!scene || width <= GUTTER || height <= 0) return;
    this.#stretch();
    const ratio = window.devicePixelRatio || 1;
    const context = this.view.prepare();
    if (!context) return;
    const { canvas } = this.view;
    const { theme } = scene;
    const { columns } = this;
    const header = this.#header;
    const rowHeight = this.#rowHeight;
    const left = this.view.left;
    const top = this.view.top;
    const what = {
      source: scene.source,
      align: scene.align,
      colours: scene.colours,
      order: scene.order,
      runs: runs(
        columns,
        left,
        Math.min(Math.floor((width - GUTTER) * ratio), Math.ceil((columns.total - left) * ratio)),
        ratio,
      ),
      left: Math.round(GUTTER * ratio),
      top: Math.round(header * ratio),
      width: Math.max(0, canvas.width - Math.round(GUTTER * ratio)),
      height: Math.max(0, canvas.height - Math.round(header * ratio)),
      scroll: top * ratio,
      rowHeight: rowHeight * ratio,
      columnWidth: columns.width * ratio,
    };
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = theme.colour.bg;
    context.fillRect(0, 0, canvas.width, canvas.height);
    const size = Math.min(13, Math.floor(Math.min(columns.width, rowHeight) * 0.78));
    const lettered =
      scene.source.layer.tokens && Math.min(columns.width, rowHeight) >= LETTERED
        ? { font: `${size * ratio}px ${theme.mono}`, size: size * ratio }
        : undefined;
    this.#painter.paint(context, what, lettered);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.#gutter(context, scene, { header, rowHeight, top, height });
    drawHead(context, scene, { columns, left, width, size });
    this.#outline(context, scene, { columns, left, top, rowHeight, header, width, height });
  }

  /**
   * The cells' numbers, with their mean |value| as a bar.
   * @param {CanvasRenderingContext2D} context
   * @param {Scene} scene
   * @param {{header: number, rowHeight: number, top: number, height: number}} place
   */
  #gutter(context, { source, order, rowOf, theme, cell }, { header, rowHeight, top, height }) {
    const { meanMagnitude } = source.statistics;
    let most = 0;
    for (const value of source.loudest) if (value > most) most = value;
    const size = clamp(rowHeight - 2, 9, 12);
    // Where rows are thinner than a number, every so many rows have one.
    const every = Math.max(1, Math.ceil((size + 2) / rowHeight));
    context.save();
    context.beginPath();
    context.rect(0, header, GUTTER, height - header);
    context.clip();
    context.textAlign = "right";
    context.textBaseline = "middle";
    const selected = rowOf[cell];
    const last = Math.min(order.length, Math.ceil((top + height - header) / rowHeight));
    for (let row = Math.floor(top / rowHeight); row < last; row++) {
      const chosen = order[row] === cell;
      const middle = header + (row + 0.5) * rowHeight - top;
      if (rowHeight >= 3) {
        const share = most > 0 ? meanMagnitude[order[row]] / most : 0;
        const bar = clamp(rowHeight - 2, 2, 6);
        context.fillStyle = theme.colour.line;
        context.fillRect(GUTTER - 6 - Grid.BAR, middle - bar / 2, Grid.BAR, bar);
        context.fillStyle = chosen ? theme.colour.fg : theme.colour.bar;
        if (share > 0)
          context.fillRect(GUTTER - 6 - Grid.BAR, middle - bar / 2, share * Grid.BAR, bar);
      }
      const apart = selected < 0 || Math.abs(row - selected) >= every;
      if (chosen || (row % every === 0 && apart)) {
        context.font = `${chosen ? "bold " : ""}${size}px ${theme.font}`;
        context.fillStyle = chosen ? theme.colour.fg : theme.colour.muted;
        const text = cellNumber(source.layer, order[row]);
        // A number that is higher than its row stands beside it, all of it in view.
        const [least, most] = [header + size / 2, Math.max(header, height - size / 2)];
        const y = every > 1 ? clamp(middle, least, most) : middle;
        context.fillText(text, GUTTER - 12 - Grid.BAR, y + 0.5);
      }
      // Which have a note; what it says stands in the status line.
      if (source.layer.notes?.[order[row]]) {
        context.fillStyle = theme.colour.accent;
        context.beginPath();
        context.arc(6, middle, Math.min(3, rowHeight / 2), 0, 2 * Math.PI);
        context.fill();
      }
    }
    context.restore();
  }

  /**
   * One outline for the selected row and column, wherever they are.
   * @param {CanvasRenderingContext2D} context
   * @param {Scene} scene
   * @param {{columns: Columns, left: number, top: number, rowHeight: number, header: number, width: number, height: number}} place
   */
  #outline(context, scene, { columns, left, top, rowHeight, header, width, height }) {
    const { theme, order, rowOf, cell, column } = scene;
    if (columns.total === 0) return;
    const right = Math.min(width, GUTTER + columns.total - left);
    const bottom = Math.min(height, header + order.length * rowHeight - top);
    context.save();
    context.beginPath();
    const head = headOf(scene.source.layer, scene.tracks, scene.lines).column;
    context.rect(GUTTER - 1, header - head - 1, width, height);
    context.clip();
    const x = GUTTER + columns.start(column) - left;
    if (x + columns.width > GUTTER) {
      const high = bottom - header + head - 0.5;
      outline(context, theme, [x - 0.5, header - head, Math.max(2, columns.width), high]);
    }
    context.beginPath();
    context.rect(GUTTER - 1, header - 1, width, height);
    context.clip();
    const row = rowOf[cell];
    const y = header + row * rowHeight - top;
    if (row >= 0 && y + rowHeight > header) {
      outline(context, theme, [GUTTER - 0.5, y - 0.5, right - GUTTER, Math.max(2, rowHeight)]);
    }
    const { hovered } = this;
    if (hovered && rowOf[hovered.cell] >= 0 && columns.width >= 4) {
      const hx = GUTTER + columns.start(hovered.column) - left;
      const hy = header + rowOf[hovered.cell] * rowHeight - top;
      context.lineWidth = 1;
      context.strokeStyle = theme.colour.fg;
      context.strokeRect(hx + 0.5, hy + 0.5, columns.width - 2, Math.max(2, rowHeight) - 2);
    }
    context.restore();
  }
}
