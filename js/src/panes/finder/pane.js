// A ranking as a table, and the evidence for its chosen row.

import { cellName } from "../../data/layer.js";
import { element } from "../../lib/dom.js";
import { inLine } from "../../lib/tokens.js";
import { EvidenceCard } from "./evidence_card.js";
import { FinderTable } from "./table.js";

/** @typedef {import("../../ui/frame.js").Frame} Frame */
/** @typedef {import("../../state/finder.js").FinderState} FinderState */
/** @typedef {{example: number, timestep: number}} Place */

/** @type {import("../../ui/keys.js").Key[]} */
const KEYS = [
  ["↑ ↓", "the row above, below"],
  ["PageUp PageDown", "a page up, down"],
  ["Home End", "the first, the last row"],
  ["Enter", "shows a row's cell and its evidence"],
];

export class FinderPane {
  called = "ranking";
  keys = KEYS;
  #reveal = true;
  /** The colours of the chosen row's signal, when it was shown last. */
  #colours =
    /** @type {{row: number, colours: import("../../colour/colours.js").Colours} | undefined} */ (
      undefined
    );

  /** @param {Frame} frame */
  constructor(frame) {
    this.frame = frame;
    this.state = /** @type {FinderState} */ (frame.state);
    this.ranking = this.state.ranking;
    this.store = this.state.evidence;
    const change = () => frame.schedule();
    this.table = new FinderTable(this.ranking, { choose: (row) => this.#choose(row), change });
    this.card = new EvidenceCard(this.ranking, {
      go: (place) => this.#choose(this.state.row, place),
      set: (threshold) => this.state.set({ threshold }, frame),
      ablate: () => {
        this.store.ablate(this.state.row, this.state.difference);
        change();
      },
      change,
    });
    this.nothing = element("div", { class: "lw-empty" }, ["Choose a row to see its evidence."]);
    this.menus = [];
    this.tools = [];
    this.body = [
      element("div", { class: "lw-finder" }, [
        this.table.root,
        element("div", { class: "lw-beside" }, [this.card.root, this.nothing]),
      ]),
    ];
    this.resizing = new ResizeObserver(() => {
      this.table.resize();
      frame.schedule(true);
    });
    this.resizing.observe(this.table.grid);
  }

  destroy() {
    this.resizing.disconnect();
  }

  resize() {
    this.table.resize();
  }

  get hovered() {
    const { hovered } = this.card;
    if (!hovered || !this.#shown) return undefined;
    const { example, timestep } = hovered;
    return {
      cell: this.ranking.number("cell", this.state.row),
      column: example * this.state.layer.timesteps + timestep,
    };
  }

  /** @param {Set<string>} names */
  changed(names) {
    if (names.has("variant")) this.#reveal = true;
    if (names.has("row") && this.state.origin !== this.frame) this.#reveal = true;
  }

  /** Whether the signal of the chosen row is the one that is shown. */
  get #shown() {
    const { model, row } = this.state;
    const { ranking } = this;
    return (
      row >= 0 &&
      ranking.text("layer", row) === model.get("layer") &&
      ranking.text("signal", row) === model.get("signal")
    );
  }

  /**
   * Show the cell of a row, at a place or else where it is at its strongest.
   * @param {number} row
   * @param {Place} [place]
   */
  #choose(row, place) {
    const { ranking, state } = this;
    const signal = ranking.text("signal", row);
    const layer = state.layers.find(({ name }) => name === ranking.text("layer", row));
    /** @type {Record<string, unknown>} */
    const values = { row };
    // A file may go without a layer, or a signal.
    if (layer?.signals.includes(signal)) {
      Object.assign(values, { layer: layer.name, signal, cell: ranking.number("cell", row) });
      const threshold = ranking.threshold(row);
      // Of a difference, it says nothing.
      if (!place && threshold !== undefined && !state.difference) values.threshold = threshold;
      Object.assign(values, place ?? this.#strongest(row));
    }
    state.set(values, this.frame);
  }

  /** Where the page knows a row's cell to be at its strongest; the kernel does the same. @param {number} row */
  #strongest(row) {
    const wanted = this.ranking.number("sign", row) < 0 ? "lowest" : "highest";
    const best = this.store
      .known(row, this.state.difference)
      ?.passages.find(({ kind }) => kind === wanted);
    return best && { example: best.example, timestep: best.peak };
  }

  paint() {
    const { row, variant, difference } = this.state;
    this.table.show({ variant, less: difference });
    if (this.#reveal && row >= 0) this.table.reveal(row);
    this.#reveal = false;
    this.table.paint(row);
    const evidence = row >= 0 ? this.store.of(row, difference) : undefined;
    const { colours } = this.frame;
    if (colours && this.#shown) this.#colours = { row, colours };
    const last = this.#colours?.row === row ? this.#colours.colours : undefined;
    this.nothing.hidden = row >= 0;
    const less = difference && { variant: inLine(variant), less: inLine(difference) };
    this.card.update(row, evidence, this.#missing(row), last, this.#cell(row), less || undefined);
    const possible = this.state.model.get("_can_ablate");
    this.card.ablation(evidence?.ablation, possible, this.store.told(row, difference));
    this.store.flush();
  }

  /** What the cell of a row is called. @param {number} row */
  #cell(row) {
    const { ranking, state } = this;
    const layer = state.layers.find(({ name }) => name === ranking.text("layer", row));
    return layer ? cellName(layer, ranking.number("cell", row)) : "";
  }

  /** Why there is no evidence for a row. @param {number} row */
  #missing(row) {
    if (this.store.saved && !this.store.known(row, this.state.difference)) {
      if (this.store.known(row)) {
        return "This file holds the evidence of variants; that of this difference is in the notebook.";
      }
      return "This file holds the evidence of the best rows only; that of the others is in the notebook.";
    }
    return this.store.notice || "Loading the evidence …";
  }
}
