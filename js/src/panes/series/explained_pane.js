// Lines over time with relevance behind them: by which method, what colours stand for, and for which timestep.

import { listen } from "../../lib/dom.js";
import { press } from "../../lib/keyboard.js";
import { Memo } from "../../lib/memo.js";
import { inLine } from "../../lib/tokens.js";
import { methodName, minus, short } from "../../lib/wording.js";
import { menu, tick } from "../../ui/controls.js";
import { Legend } from "../../ui/legend.js";
import { ExplainedDrawing } from "./explained_drawing.js";
import { addsUp, byMethod } from "./ground.js";
import { SeriesPane } from "./pane.js";

/** @typedef {import("../../state/lines_only.js").LinesOnlyState} LinesOnlyState */

/** @type {import("../../ui/keys.js").Key} */
const HOLD = [
  "e",
  "holds the relevance that is shown while the selection moves, or lets it follow",
];

export class ExplainedPane extends SeriesPane {
  #chosen = new Memo();
  #legended = new Memo();

  /** @param {import("../../ui/frame.js").Frame} frame */
  constructor(frame) {
    const state = /** @type {LinesOnlyState} */ (frame.state);
    const drawing = new ExplainedDrawing(state);
    super(frame, drawing);
    this.explained = state;
    this.ground = drawing.ground;
    const set = state.setter(frame);
    this.method = menu("relevance", set("method"), "The method by which relevance was computed.");
    this.range = menu(
      "range",
      (value) => state.set({ relevance_scale: value === "fixed" ? [-1, 1] : value }, frame),
      "The range of the colours of relevance: the largest magnitude of what is explained, or of all that was explained, or a fixed range.",
    );
    this.menus.push(this.method.root, this.range.root);
    this.hold = tick(
      "hold relevance",
      (value) => this.#hold(value),
      "Whether the relevance that is shown stays while the selection moves, or follows it (e).",
    );
    this.tools.unshift(this.hold.root);
    this.legend = new Legend();
    this.head.append(this.legend.root);
    listen(this.view.root, "keydown", (event) =>
      press(event, { e: () => this.#hold(state.model.get("explained") === null) }),
    );
  }

  get keys() {
    return this.explained.relevance ? [...super.keys, HOLD] : super.keys;
  }

  /** @param {boolean} held whether what is explained stays */
  #hold(held) {
    const { explained: state } = this;
    const explanation = state.explanation(state.model.get("example"));
    if (!explanation) return;
    const { relevance, row } = explanation;
    state.set({ explained: held ? relevance.explained[row] : null }, this.frame);
  }

  tellHead() {
    super.tellHead();
    this.#tellMenus();
    this.#tellLegend();
  }

  /** What there is to choose of relevance. */
  #tellMenus() {
    const { relevance, model } = this.explained;
    const [method, scale, explained] = ["method", "relevance_scale", "explained"].map((name) =>
      model.get(name),
    );
    if (!this.#chosen.changed([relevance, method, scale, explained])) return;
    const { methods = [], count = 0 } = relevance?.told ?? {};
    this.method.root.hidden = methods.length < 2;
    this.range.root.hidden = !relevance;
    this.hold.root.hidden = count < 2;
    this.hold.update(explained !== null);
    this.method.update(
      methods.map(({ name }) => [name, methodName(name)]),
      method,
    );
    const fixed = Array.isArray(scale);
    const [low, high] = fixed ? scale : [-1, 1];
    this.range.update(
      [
        ["example", "explained"],
        ["all", "all"],
        ["fixed", minus(`${low} to ${high}`)],
      ],
      fixed ? "fixed" : scale,
    );
  }

  /** What colours behind lines stand for. */
  #tellLegend() {
    const { explained: state } = this;
    const { theme } = this.frame;
    const explanation = state.explanation(state.model.get("example"));
    this.legend.root.hidden = !explanation;
    if (!explanation) return;
    this.head.hidden = false;
    const { relevance, row, method, largest, scale, palette } = explanation;
    const sum = addsUp(state);
    const look = [relevance, row, method, JSON.stringify(scale), sum, theme, palette];
    if (!this.#legended.changed(look)) return;
    const { signed, unit } = relevance.told.methods[method];
    const band = this.ground.colours(explanation, theme);
    const [low, high] = band.range(largest({ method, channel: sum ? undefined : 0 }));
    const of = sum ? `, ${relevance.told.channels} channels added up` : "";
    this.legend.show({
      ramp: band.ramp,
      low: (band.fixed && (signed || low > 0) ? "≤ " : "") + short(low),
      middle: short((low + high) / 2),
      high: (band.fixed ? "≥ " : "") + short(high, low < 0),
      unit: `${byMethod(explanation)}${of}${unit ? `, ${inLine(unit)}` : ""}`,
    });
  }
}
