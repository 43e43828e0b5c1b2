// What stands around the texts of DependencyHeatmap: menus, the slider, the status line and the legend.

import { DECADES } from "../../colour/log_scale.js";
import { palettes, ramp } from "../../colour/palettes.js";
import { stepTo } from "../../lib/sorted.js";
import { short, words } from "../../lib/wording.js";
import { Chrome } from "../../ui/chrome.js";
import { menu, slider, tick } from "../../ui/controls.js";
import { Legend } from "../../ui/legend.js";
import { DependencyPane } from "./pane.js";
import { place, sentence } from "./words.js";

/** @typedef {import("../../state/dependency.js").DependencyState} DependencyState */

/** @type {Record<"align" | "hover" | "scale", [string, string][]>} */
const CHOICES = {
  align: [
    ["read", "just read"],
    ["predict", "predicted next"],
  ],
  hover: [
    ["explain", "explain"],
    ["read", "read number"],
  ],
  scale: [
    ["prediction", "prediction"],
    ["all", "all predictions"],
  ],
};

/** @extends {Chrome<DependencyState, DependencyPane>} */
export class DependencyFrame extends Chrome {
  /** How far texts were scrolled because another one was. @type {Map<import("../../canvas/text_sheet.js").TextSheet, number>} */
  #followed = new Map();

  /**
   * @param {DependencyState} state
   * @param {HTMLElement} el where the host wants the widget
   */
  constructor(state, el) {
    super(state, "Dependency heatmap");
    const set = state.setter(this);
    this.menus = {
      align: menu(
        "token",
        set("align"),
        "Whether a prediction stands on the token that was just read, or on the one that it is for.",
      ),
      hover: menu(
        "hover",
        set("hover"),
        "Whether pointing at a token explains the prediction there, or reads out its number.",
      ),
      palette: menu("palette", set("palette"), "The colour palette of the values."),
      scale: menu(
        "scale",
        set("scale"),
        "The range of the colour scale: up to the largest value of this prediction, or of all.",
      ),
    };
    this.ticks = {
      same_scale: tick("same scale", set("same_scale"), "One scale for all models."),
      log_scale: tick(
        "log",
        set("log_scale"),
        "A logarithmic colour scale, so that weak dependencies are seen, too.",
      ),
      marks: tick("marks", set("marks"), "Show newlines, tabs and spaces as marks."),
    };
    this.sliders = {
      example: slider(
        "example",
        (value) => state.set(state.chosen(value), this),
        `The example, one of the ${state.extent.series ? "series" : "texts"} that were read.`,
      ),
      timestep: slider(
        "timestep",
        (value, typed) => this.#slide(value, typed),
        "The position in the text whose prediction is explained.",
      ),
    };
    this.legend = new Legend();
    this.show(el, {
      panes: state.models.map((_, k) => new DependencyPane(this, k)),
      first: Object.values(this.menus).map((each) => each.root),
      last: Object.values(this.ticks).map((each) => each.root),
      sliders: Object.values(this.sliders).map((each) => each.root),
      legend: this.legend.root,
    });
  }

  /**
   * The slider goes from one prediction that was computed to the next; who types a number means it.
   * @param {number} value
   * @param {boolean} typed
   */
  #slide(value, typed) {
    const { state } = this;
    const timestep = typed ? value : stepTo(state.available, state.timestep, value);
    state.set({ timestep }, this);
  }

  /**
   * All texts are scrolled together. One that can't follow as far doesn't hold the others back.
   * @param {import("../../canvas/text_sheet.js").TextSheet} moved
   */
  scrolled(moved) {
    const top = moved.view.top;
    if (top !== this.#followed.get(moved)) {
      for (const { sheet } of this.panes) {
        if (sheet === moved || sheet.view.top === top) continue;
        sheet.view.top = top;
        this.#followed.set(sheet, sheet.view.top);
      }
    }
    this.#followed.delete(moved);
    this.schedule();
  }

  get #palette() {
    const { model } = this.state;
    const chosen = model.get("palette");
    if (chosen !== "auto") return chosen;
    return this.theme.dark ? "Purples_dark" : "Purples";
  }

  get ramp() {
    return ramp(this.#palette);
  }

  get #pointed() {
    return this.pointing ? this.panes.find((pane) => pane.hovered)?.hovered : undefined;
  }

  /** The prediction that is explained now, and the token whose number is read out. */
  get shown() {
    const { timestep, model } = this.state;
    return this.#pointed ?? { timestep, input: model.get("input_timestep") };
  }

  describe() {
    const { state } = this;
    if (state.empty) return { text: "nothing was computed" };
    const { timestep, input } = this.shown;
    return {
      text: sentence(state, timestep, input),
      full: sentence(state, timestep, input, String),
      hovered: this.#pointed !== undefined,
    };
  }

  get warning() {
    return this.state.notice;
  }

  request() {
    this.#legend();
    this.state.request();
  }

  update() {
    const { state } = this;
    const { model } = state;
    for (const name of /** @type {("align" | "hover" | "scale")[]} */ (Object.keys(CHOICES))) {
      this.menus[name].update(CHOICES[name], model.get(name));
    }
    const sequential = Object.keys(palettes).filter((name) => palettes[name].kind === "sequential");
    this.menus.palette.update(
      ["auto", ...sequential].map((name) => [name, words(name)]),
      model.get("palette"),
    );
    this.menus.align.root.hidden = state.extent.series === true;
    this.ticks.marks.root.hidden = state.extent.series === true;
    this.ticks.same_scale.root.hidden = state.models.length < 2;
    for (const [name, one] of Object.entries(this.ticks)) one.update(model.get(name));
    const { first, stop, examples } = state.extent;
    this.sliders.example.root.hidden = examples <= 1;
    this.sliders.example.update({
      value: state.example,
      max: Math.max(0, examples - 1),
      text: state.label === undefined ? undefined : `${state.example}, ${state.label}`,
    });
    this.sliders.timestep.update({
      value: state.timestep,
      min: first,
      max: Math.max(first, stop - 1),
      text: place(state, state.timestep),
    });
    this.about.textContent = this.#about;
  }

  /** Whether something in the text stands before what was read. */
  get #windowed() {
    const { state } = this;
    return state.models.some((_, k) => {
      const row = state.row(k, state.timestep);
      return row && row !== "none" && row.start > state.extent.first;
    });
  }

  /** What there is, and how to read it. */
  get #about() {
    const { extent, available, models } = this.state;
    const count = this.state.stop - extent.first;
    const few = models.some((_, k) => this.state.few(k));
    const how = [...new Set(models.map((each) => each.how).filter(Boolean))];
    return [
      extent.examples === 1 ? "" : `${extent.examples} examples`,
      `${count} ${this.state.noun}s`,
      `${available.length} predictions${few ? ", underlined" : ""}`,
      how.join(", "),
      "grey: not yet read",
      this.#windowed ? "dotted: before its window" : "",
    ]
      .filter(Boolean)
      .join(" · ");
  }

  #legend() {
    const { state } = this;
    const { model, models } = state;
    const each = state.largest(this.shown.timestep);
    const log = model.get("log_scale");
    const one = models.length === 1 || model.get("same_scale");
    const high = one ? each[0] : 1;
    const low = log ? high / 10 ** DECADES : 0;
    const middle = log ? high / 10 ** (DECADES / 2) : high / 2;
    const of = model.get("scale") === "all" ? "model" : "prediction";
    this.legend.show({
      ramp: this.ramp,
      low: (log ? "≤ " : "") + short(low),
      middle: short(middle),
      high: short(high),
      unit: one ? "" : `÷ largest of the ${of}`,
    });
  }
}
