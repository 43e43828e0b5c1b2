// Two recordings beside each other: what is selected in one is selected in the other, cells by their partners.

import { RecordingState } from "./recording.js";
import { SharedState } from "./shared.js";

/** @typedef {import("../host/model.js").Model} Model */
/** @typedef {import("../host/model.js").Host} Host */
/**
 * What Python tells of two networks that were compared.
 * @typedef {object} Pairs
 * @property {string[]} layers the layer of each
 * @property {string[]} names what each is called
 * @property {number[]} partners of each cell of the first network, that of the second; -1 if it has none
 * @property {string[]} told of each cell of the first, what it has to do with its partner, or why it has none
 */

/** What is the same of both, and of the whole. */
const SAME = ["example", "timestep", "threshold", "palette", "scale", "align", "hidden_tracks"];
/** The same of both. */
const OF_BOTH = new Set([...SAME, "span", "_span_example", "selected_timesteps"]);

export class PairState extends SharedState {
  /** @type {(() => void)[]} */
  #unwatch = [];

  /**
   * @param {Model} model
   * @param {Model[]} models of both grids
   */
  constructor(model, models) {
    super(model, ["_pairs", "cell", ...SAME]);
    this.sides = models.map((each) => new RecordingState(each));
    this.#unwatch = [
      this.watch((names) => {
        for (const name of names) {
          const to = { [name]: model.get(name) };
          if (name === "cell") this.sides[0].set(to, undefined);
          if (SAME.includes(name)) for (const side of this.sides) side.set(to, undefined);
        }
      }),
      ...this.sides.map((side, i) =>
        side.watch((names) => {
          for (const name of names) this.#changed(i, name);
        }),
      ),
    ];
  }

  dispose() {
    for (const end of this.#unwatch) end();
    for (const side of this.sides) side.dispose();
    super.dispose();
  }

  /** @returns {Pairs} */
  get pairs() {
    return this.model.get("_pairs");
  }

  /** The cell of the other side that is the partner of a cell of this one; undefined if there is none. */
  partner(/** @type {number} */ side, /** @type {number} */ cell) {
    const { partners } = this.pairs;
    const other = side === 0 ? partners[cell] : partners.indexOf(cell);
    return this.compared && other >= 0 ? other : undefined;
  }

  /** Whether both show the layers that were compared. */
  get compared() {
    return this.sides.every(({ layer }, i) => layer.name === this.pairs.layers[i]);
  }

  /** What the selected cells have to do with each other. */
  get told() {
    if (!this.compared) return "other layers than those that were compared";
    const [cell, other] = this.sides.map(({ model }) => model.get("cell"));
    const told = this.pairs.told[cell];
    if (this.partner(0, cell) === other || this.partner(1, other) !== undefined) return told;
    return `cell ${other} of ${this.pairs.names[1]} has no pair`;
  }

  /**
   * @param {number} i which side
   * @param {string} name
   */
  #changed(i, name) {
    const [here, there] = [this.sides[i], this.sides[1 - i]];
    const value = here.model.get(name);
    if (name === "found" && there.query !== here.query) there.find(here.query);
    if (OF_BOTH.has(name)) there.set({ [name]: value }, undefined);
    if (SAME.includes(name)) this.set({ [name]: value }, here);
    if (name === "cell") {
      const partner = this.partner(i, value);
      if (partner !== undefined) there.set({ cell: partner }, undefined);
      this.set({ cell: this.sides[0].model.get("cell") }, here);
      this.announce("pair");
    }
    if (name === "layer") this.announce("pair");
  }
}

/**
 * The state of a widget that shows two others.
 * @param {Model} model
 * @param {Host} [host]
 */
export async function pairOf(model, host) {
  const models = ["_a", "_b"].map((name) => {
    const id = model.get(name).replace(/^IPY_MODEL_/, "");
    if (host?.getModel) return host.getModel(`anywidget:${id}`);
    const { widget_manager: manager } = model;
    if (!manager) throw new Error("This host shows no widget within another.");
    return /** @type {Promise<Model>} */ (manager.get_model(id));
  });
  return new PairState(model, await Promise.all(models));
}
