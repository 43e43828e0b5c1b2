// CellComparison: the cells of two networks, partners in the same row. Two grids go together: what is
// selected, pointed at, zoomed and scrolled in one is so in the other.

import { div, element } from "../lib/dom.js";
import { GridPane } from "../panes/grid/pane.js";
import { pairOf } from "../state/pair.js";
import { Chrome } from "../ui/chrome.js";
import { Frame } from "../ui/frame.js";

/** @typedef {import("../state/pair.js").PairState} PairState */
/** @typedef {import("../host/model.js").Model} Model */
/** @typedef {import("../host/model.js").Host} Host */

/** One of the grids. */
class Side extends Frame {
  /**
   * @param {import("../state/recording.js").RecordingState} state
   * @param {HTMLElement} el
   * @param {string} name
   */
  constructor(state, el, name) {
    super(state, el, name, [GridPane]);
    this.pane = /** @type {GridPane} */ (/** @type {unknown} */ (this.panes[0]));
    // Rows stand beside those of partners: in no other order, and none is left out.
    for (const node of [this.pane.sort.root, this.pane.tools[0], this.variants.root]) {
      /** @type {Element} */ (node).remove();
    }
    const bar = /** @type {Element} */ (this.root.querySelector(".lw-bar"));
    bar.prepend(element("b", { class: "lw-which" }, [name]));
    bar.append(this.sliders.cell.root);
  }

  /** Whoever hears it hears of the pair; of the values, in the grid that is used. */
  get quiet() {
    return !this.root.matches(":focus-within");
  }
}

/** @extends {Chrome<PairState, import("../ui/chrome.js").Part>} */
class PairFrame extends Chrome {
  /**
   * @param {PairState} state
   * @param {HTMLElement} el where the host wants the widget
   */
  constructor(state, el) {
    super(state, "Cell comparison");
    const places = state.sides.map(() => div("lw-side"));
    this.grids = state.sides.map((side, i) => new Side(side, places[i], state.pairs.names[i]));
    const [first, other] = this.grids;
    const { align, palette, scale } = first.menus;
    const { example, timestep, threshold } = first.sliders;
    // What is the same of both stands once, above them.
    for (const { root } of [
      ...[other.menus.align, other.menus.palette, other.menus.scale],
      ...[other.sliders.example, other.sliders.timestep, other.sliders.threshold, other.tracks],
    ]) {
      root.remove();
    }
    /** @type {Element} */ (other.pane.tools[1]).remove();
    this.update();
    this.keys = first.keys;
    this.show(el, {
      panes: this.grids.map((grid, i) => part(grid, places[i], i === 0 ? grid.pane : undefined)),
      first: [align.root, palette.root, scale.root, first.pane.tools[1]],
      sliders: [example.root, timestep.root, threshold.root],
      rows: [
        first.tracks.root,
        ...this.grids.flatMap(({ find, note }) => [find.drawer.root, note.drawer.root]),
      ],
      legend: div("lw-unit"),
    });
    this.grids.forEach(({ pane }, i) => {
      pane.moved = () => this.#follow(i);
    });
  }

  /**
   * Show in one grid what was moved in the other.
   * @param {number} i which one was
   */
  #follow(i) {
    const [here, there] = [this.grids[i], this.grids[1 - i]];
    there.pane.follow(here.pane, (cell) => this.state.partner(i, cell));
    this.schedule();
  }

  /** Rows of both are as high, though one may have fewer. */
  update() {
    const rows = Math.max(...this.state.sides.map(({ layer }) => layer.cells));
    for (const { pane } of this.grids) pane.grid.beside = rows;
  }

  describe() {
    return { text: this.state.told };
  }
}

/**
 * A grid as a part of the whole.
 * @param {Side} grid
 * @param {HTMLElement} place
 * @param {GridPane} [pane] whose keys are told
 * @returns {import("../ui/chrome.js").Part}
 */
function part(grid, place, pane) {
  const nothing = () => {};
  return {
    menus: [],
    tools: [],
    body: [place],
    called: pane?.called,
    keys: pane?.keys,
    resize: nothing,
    paint: nothing,
    changed: nothing,
    destroy: () => grid.destroy(),
  };
}

export default () => {
  /** One state for all places that it is shown in. @type {Promise<PairState> | undefined} */
  let state;
  return {
    initialize() {
      return async () => {
        (await state)?.dispose();
        state = undefined;
      };
    },
    /** @param {{model: Model, el: HTMLElement, host?: Host}} given */
    async render({ model, el, host }) {
      state ??= pairOf(model, host);
      const view = new PairFrame(await state, el);
      return () => view.destroy();
    },
  };
};
