// What stands around the words of many examples: menus, search, status line and legends.

import { palettes } from "../../colour/palettes.js";
import { Band } from "../../colour/relevance_colours.js";
import { element, write } from "../../lib/dom.js";
import { Memo } from "../../lib/memo.js";
import { quoted } from "../../lib/tokens.js";
import { methodName, minus, number, short, words } from "../../lib/wording.js";
import { Chrome } from "../../ui/chrome.js";
import { field, menu, tick } from "../../ui/controls.js";
import { InnerPane } from "../../ui/inner_pane.js";
import { Legend } from "../../ui/legend.js";
import { RelevancePane } from "./pane.js";
import { channelName } from "./strips.js";
import { counted, strongest } from "./words.js";

/** Why there is no Explorer. @type {Record<string, string>} */
const NOT_HERE = {
  missing:
    "There is no recording to explore. Give the one of the same inputs: " +
    "RelevanceHeatmap(relevance, recording=lw.record(model, inputs, tokens=tokens)).",
  "left out": "The recording is not in this saved page: the Explorer needs the notebook.",
};

/** @typedef {import("../../state/relevance.js").RelevanceState} RelevanceState */
/** @typedef {import("../../data/examples.js").Row} Row */

/**
 * What is pointed at or selected: some timesteps of an example, or all of it.
 * @typedef {{example: number, start?: number, stop?: number, channel?: number}} Place
 */
/**
 * One picture of relevance.
 * @typedef {import("../../ui/chrome.js").Part & {hovered?: Place | undefined}} Pane with what is under the pointer
 */

/** @type {[string, string][]} */
const SORTS = [
  ["index", "index"],
  ["most_confident", "most confident"],
  ["least_confident", "least confident"],
  ["highest_score", "highest score"],
  ["lowest_score", "lowest score"],
  ["longest", "longest"],
  ["shortest", "shortest"],
];
/** How long typing rests before it is searched for. */
const SEARCHED_AFTER = 150;

/** @extends {Chrome<RelevanceState, Pane>} */
export class RelevanceFrame extends Chrome {
  #look = new Memo();
  /** @type {Band[]} */
  #bands = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #searching;

  /**
   * @param {RelevanceState} state
   * @param {HTMLElement} el where the host wants the widget
   * @param {import("../../host/model.js").Host} [host] what can show another widget
   */
  constructor(state, el, host) {
    super(state, "Relevance heatmap");
    this.host = host;
    const set = state.setter(this);
    this.menus = {
      method: menu("method", set("method"), "The method by which relevance was computed."),
      sort: menu("sort by", set("sort"), "The order of the examples, from the top."),
      predicted: menu(
        "predicted",
        (value) => state.set({ predicted: value === "all" ? null : Number(value) }, this),
        "Show only the examples for which the model predicts this class.",
      ),
      outcome: menu(
        "outcome",
        set("outcome"),
        "Show only the examples that the model predicts correctly, or incorrectly.",
      ),
      scale: menu(
        "scale",
        (value) => state.set({ scale: value === "fixed" ? [-1, 1] : value }, this),
        "The range of the colour scale: the largest magnitude in each example or in all, or a fixed range.",
      ),
      palette: menu("palette", set("palette"), "The colour palette of the values."),
    };
    this.all = tick("all", set("all_methods"), "Show a band for each method.");
    this.all.root.querySelector("input")?.setAttribute("aria-label", "all methods");
    this.search = field(
      "search",
      "contains …",
      (text) => {
        clearTimeout(this.#searching);
        this.#searching = setTimeout(() => state.set({ search: text }, this), SEARCHED_AFTER);
      },
      "Show only the examples whose words contain this.",
    );
    this.exploring = tick(
      "Explorer",
      set("exploring"),
      "Show the selected example in an Explorer below.",
    );
    this.legends = [new Legend(), new Legend()];
    const explorer = new InnerPane(this, {
      name: "Explorer",
      shown: "exploring",
      reference: "_explorer",
      told: () => (state.summary.recording === "here" ? "" : NOT_HERE[state.summary.recording]),
      waiting: "Loading the Explorer …",
    });
    const { method, sort, predicted, outcome, scale, palette } = this.menus;
    this.show(el, {
      panes: [new RelevancePane(this), explorer],
      first: [method.root, this.all.root, predicted.root, outcome.root, this.search.root],
      last: [sort.root, scale.root, palette.root, this.exploring.root],
      legend: element(
        "div",
        { class: "lw-legends" },
        this.legends.map((legend) => legend.root),
      ),
    });
  }

  destroy() {
    clearTimeout(this.#searching);
    super.destroy();
  }

  /** How each method's values become colours; the same objects until the look changes. */
  get bands() {
    const { model, summary } = this.state;
    const look = {
      palette: model.get("palette"),
      scale: model.get("scale"),
      dark: this.theme.dark,
    };
    if (this.#look.changed([JSON.stringify(look)])) {
      this.#bands = summary.methods.map((method) => new Band(method, look));
    }
    return this.#bands;
  }

  update() {
    const { state } = this;
    const { model, summary } = state;
    const get = (/** @type {string} */ name) => model.get(name);
    this.menus.method.update(
      summary.methods.map(({ name }) => [name, methodName(name)]),
      get("method"),
    );
    this.all.root.hidden = summary.methods.length < 2;
    this.all.update(get("all_methods"));
    const predicted = summary.classes.filter(([, , count]) => count > 0);
    this.menus.predicted.root.hidden = !summary.predicted;
    const label = this.menus.predicted.root.querySelector("label");
    const { predicted: named } = summary.called;
    if (label) write(label, named);
    this.menus.predicted.update(
      [
        ["all", "all"],
        ...predicted.map(
          ([id, name, count]) =>
            /** @type {[string, string]} */ ([String(id), `${name} (${counted(count)})`]),
        ),
      ],
      get("predicted") === null ? "all" : String(get("predicted")),
    );
    this.menus.outcome.root.hidden = !summary.outcome;
    this.menus.outcome.update(
      [
        ["all", "all"],
        ["right", `right (${counted(summary.right)})`],
        ["wrong", `wrong (${counted(summary.known - summary.right)})`],
      ],
      get("outcome"),
    );
    this.search.root.hidden = !summary.tokens;
    this.search.update(get("search"));
    this.menus.sort.update(
      SORTS.map(([value, text]) => [
        value,
        text.replace("score", summary.called.score),
        value.endsWith("_confident") && !summary.confidence,
      ]),
      get("sort"),
    );
    const scale = get("scale");
    const fixed = Array.isArray(scale);
    const [low, high] = fixed ? scale : [-1, 1];
    this.menus.scale.update(
      [
        ["example", "example"],
        ["all", "all"],
        ["fixed", minus(`${low} to ${high}`)],
      ],
      fixed ? "fixed" : scale,
    );
    this.menus.palette.update(
      ["auto", ...Object.keys(palettes)].map((name) => [name, words(name)]),
      get("palette"),
    );
    this.exploring.update(get("exploring"));
    this.#tellLegends();
    this.#tellCounts();
  }

  /** One legend for methods with a sign, one for those without, as far as they are shown. */
  #tellLegends() {
    const { state, bands } = this;
    const shown = state.bands.map((m) => bands[m]);
    const selected = bands[state.method];
    const other = shown.find((band) => band.signed !== selected.signed);
    const example = state.model.get("example");
    const row = state.examples.row(example);
    for (const [i, band] of [selected, other].entries()) {
      this.legends[i].root.hidden = !band;
      if (!band) continue;
      // Of the selected example, if each has a range of its own.
      const own = band.scale === "example";
      const m = bands.indexOf(band);
      const [low, high] = band.range(own ? (row?.largest(m) ?? 1) : band.largest);
      const unit = `${methodName(band.name)}${own ? ` in example ${example}` : ""}`;
      const clips = band.fixed && (band.signed || low > 0);
      this.legends[i].show({
        ramp: band.ramp,
        low: (clips ? "≤ " : "") + short(low),
        middle: short((low + high) / 2),
        high: (band.fixed ? "≥ " : "") + short(high, low < 0),
        unit,
      });
    }
  }

  #tellCounts() {
    const { summary, order } = this.state;
    const { examples, timesteps, known, right } = summary;
    const parts = [
      order && order.length < examples
        ? `${counted(order.length)} of ${counted(examples)} examples`
        : `${counted(examples)} ${examples === 1 ? "example" : "examples"}`,
      `${counted(timesteps)} timesteps`,
    ];
    if (summary.channels.length > 0) {
      parts.push(
        `${summary.channels.length} ${summary.channels.length === 1 ? "channel" : "channels"}`,
      );
    }
    if (summary.outcome) parts.push(`${counted(right)} of ${counted(known)} predicted correctly`);
    parts.push(`relevance for ${summary.explained}`);
    this.about.textContent = parts.join(" · ");
  }

  /** An example in words. @param {number} example @param {Row | undefined} row */
  #example(example, row) {
    const { state } = this;
    const { summary } = state;
    const parts = [`example ${example}${row?.label === undefined ? "" : ` "${row.label}"`}`];
    if (!row) return [...parts, "loading …"];
    if (summary.predicted) {
      const confidence = Number.isNaN(row.confidence) ? "" : ` ${number(row.confidence)}`;
      parts.push(`${summary.called.predicted} ${state.className(row.predicted)}${confidence}`);
    }
    if (row.true >= 0) {
      parts.push(`true ${state.className(row.true)} (${row.right ? "right" : "wrong"})`);
    }
    const of = row.target >= 0 ? ` of ${state.className(row.target)}` : "";
    const unit = summary.unit ? ` ${summary.unit}` : "";
    parts.push(`${summary.called.score}${of} ${number(row.score)}${unit}`);
    return parts;
  }

  /**
   * Some timesteps of an example in words, with the numbers that are in the array.
   * @param {Place} place
   * @returns {{text: string, full: string}}
   */
  #place({ example, start, stop = (start ?? 0) + 1, channel = this.state.channel }) {
    const { state } = this;
    const { channels } = state.summary;
    const row = state.examples.row(example);
    const parts = this.#example(example, row);
    if (!row || start === undefined) return { text: parts.join(" · "), full: "" };
    const full = [];
    if (stop > start + 1) {
      parts.push(`t=${start} to ${stop - 1}`, "padding");
    } else {
      const token = row.token(start);
      const when = row.times?.say(start) ?? `t=${start}`;
      parts.push(`${when}${token === undefined ? "" : ` ${quoted(token)}`}`);
      if (channels.length > 0) parts.push(channelName(channels[channel]));
      if (row.padding(start)) parts.push("padding");
    }
    for (const [m, { name }] of state.summary.methods.entries()) {
      const values = row.values(m, channel);
      const value = values[strongest(values, start, stop)];
      const band = this.bands[m];
      const cut = !Number.isNaN(value) && band.clipped(value, band.range(row.largest(m)));
      const doubt = row.doubtful.includes(m) ? " (doubtful: does not add up to the score)" : "";
      parts.push(`${methodName(name)} ${number(value)}${cut ? " (clipped)" : ""}${doubt}`);
      full.push(`${methodName(name)} ${value}`);
    }
    return { text: parts.join(" · "), full: full.join("\n") };
  }

  describe() {
    const { model, summary, order } = this.state;
    if (summary.examples * summary.timesteps === 0) return { text: "nothing to show" };
    const hovered = this.pointing ? this.panes.find((pane) => pane.hovered)?.hovered : undefined;
    if (hovered) return { ...this.#place(hovered), hovered: true };
    const example = model.get("example");
    const { text, full } = this.#place({ example, start: model.get("timestep") });
    const hidden = order !== undefined && !order.includes(example);
    return { text: hidden ? `${text} · not among the examples shown` : text, full };
  }

  get warning() {
    return this.state.examples.notice;
  }

  request() {
    this.state.examples.request();
  }
}
