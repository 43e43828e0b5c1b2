// A recording of which states are shown as points.

import { Points, pointsHere } from "../data/points.js";
import { Memo } from "../lib/memo.js";
import { RecordingState } from "./recording.js";

/** What points come from. */
const ARRIVING = ["_space", "_space_values"];

export class SpaceState extends RecordingState {
  #arrived = new Memo();
  /** @type {Points | undefined} */
  #points;

  /** @param {import("../host/model.js").Model} model */
  constructor(model) {
    super(model, [...ARRIVING, "_fixed", "axes", "angles", "coloured_by", "trajectories"]);
  }

  dispose() {
    super.dispose();
    this.#points?.dispose();
  }

  /** The points; undefined while they are prepared, or not all of them has arrived. */
  get points() {
    const { model, layer } = this;
    const shown = [layer.name, model.get("signal"), this.variant];
    const of = [...ARRIVING.map((name) => model.get(name)), ...shown];
    if (!this.#arrived.changed(of)) return this.#points;
    this.#points?.dispose();
    this.#points = undefined;
    if (!pointsHere(model)) return undefined;
    const { layer: name, signal, variant } = model.get("_space");
    if (shown.every((each, i) => each === [name, signal, variant][i]))
      this.#points = new Points(model, () => this.announce("arrival"));
    return this.#points;
  }

  /** Which components are drawn: two or three, each of which there is. @returns {number[]} */
  get axes() {
    const count = this.points?.sent.components.length ?? 0;
    const axes = /** @type {number[]} */ (this.model.get("axes"));
    return axes.every((axis) => axis < count) ? axes : [0, Math.min(1, count - 1)];
  }

  /** @returns {import("../data/points.js").FixedPoint[]} */
  get fixed() {
    return this.model.get("_fixed") ?? [];
  }
}
