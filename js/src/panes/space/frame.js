// What stands around state space: as around every recording, and what is read out of a fixed point.

import { inLine } from "../../lib/tokens.js";
import { many, number } from "../../lib/wording.js";
import { Frame } from "../../ui/frame.js";
import { SpacePane } from "./pane.js";

/** @typedef {import("../../state/space.js").SpaceState} SpaceState */
/** @typedef {import("../../data/points.js").FixedPoint} FixedPoint */

const KINDS = { stable: "stable fixed point", saddle: "saddle", slow: "slow point" };

export class SpaceFrame extends Frame {
  /**
   * @param {SpaceState} state
   * @param {HTMLElement} el where the host wants the widget
   */
  constructor(state, el) {
    super(state, el, "State space", [/** @type {any} */ (SpacePane)]);
    this.tracks.root.remove(); // no bands: what colours stand for is chosen
  }

  get #pane() {
    return /** @type {SpacePane} */ (/** @type {unknown} */ (this.panes[0]));
  }

  update() {
    super.update();
    const values = this.state.model.get("coloured_by") === "value";
    for (const { root } of [this.menus.palette, this.menus.scale, this.sliders.threshold])
      root.hidden = !values;
    this.legend.root.hidden = !values;
  }

  get warning() {
    const state = /** @type {SpaceState} */ (this.state);
    return super.warning || state.points?.notice || "";
  }

  request() {
    super.request();
    /** @type {SpaceState} */ (this.state).points?.request();
  }

  describe() {
    const state = /** @type {SpaceState} */ (this.state);
    const fixed = this.#pane.fixedPoint;
    if (fixed) return { text: this.#fixed(fixed), hovered: true };
    const told = /** @type {{text: string, full?: string, hovered?: boolean}} */ (super.describe());
    const { points } = state;
    const column = (this.pointing ? this.#pane.hovered?.column : undefined) ?? state.column;
    if (!points || points.at(column) < 0) return told;
    const place = points.place(column);
    const { components } = points.sent;
    const about = place?.exact === false ? "≈ " : "";
    const said = state.axes.map(
      (axis) =>
        `${inLine(components[axis].name)} ${place ? about + number(place.values[axis]) : "…"}`,
    );
    const full =
      place?.exact &&
      components.map(({ name }, i) => `${inLine(name)} ${place.values[i]}`).join("\n");
    return {
      ...told,
      text: `${told.text} · ${said.join(", ")}`,
      full: [told.full, full].filter(Boolean).join("\n"),
    };
  }

  /**
   * Only what colours stand for: beside places there is little room.
   * @param {"channel" | "output"} kind
   * @param {string} name
   */
  says(kind, name) {
    const kinds = kind === "output" ? ["output", "target"] : ["channel"];
    return kinds.some((each) => `${each} ${name}` === this.state.model.get("coloured_by"));
  }

  /** A fixed point in words. @param {FixedPoint} point */
  #fixed({ kind, speed, eigenvalues = [], unstable, count, readout = [], names }) {
    const value = (/** @type {[number, number]} */ [re, im]) =>
      im === 0 ? number(re) : `${number(re)} ± ${number(Math.abs(im))}i`;
    const parts = [KINDS[kind]];
    if (unstable !== undefined)
      parts.push(unstable ? many(unstable, "unstable direction") : "no unstable direction");
    if (eigenvalues.length > 0)
      parts.push(`largest eigenvalues ${eigenvalues.map(value).join(", ")}`);
    parts.push(`speed ${number(speed)}`);
    if (count !== undefined) parts.push(`${many(count, "start")} ended here`);
    if (readout.length > 0) {
      const said = readout.map((v, i) => (names ? `${inLine(names[i])} ${number(v)}` : number(v)));
      parts.push(`readout ${said.join(", ")}`);
    }
    return parts.join(" · ");
  }
}
