// A recording of which the page has nothing but lines over time, and relevance behind them.

import { RELEVANCE_TRAITS, relevanceHere, SeriesRelevance } from "../data/series_relevance.js";
import { Spelling } from "../data/spelling.js";
import { Memo } from "../lib/memo.js";
import { SeriesState } from "./series.js";

/**
 * The relevance behind the lines of an example, and how it becomes colours.
 * @typedef {object} Explanation
 * @property {SeriesRelevance} relevance
 * @property {number} row which of those that there are
 * @property {number} method
 * @property {string} palette
 * @property {string | [number, number]} scale
 * @property {(of: import("../data/series_relevance.js").Of) => number} largest what the outermost colours are
 */

/** How the timesteps of lines are spelt: not at all. */
const COUNTED = new Spelling();

export class LinesOnlyState extends SeriesState {
  #bared = new Memo();
  /** @type {import("../data/layer.js").Layer[]} */
  #bare = [];
  #arrived = new Memo();
  /** Of each variant. @type {Map<string, SeriesRelevance>} */
  #relevances = new Map();

  /** @param {import("../host/model.js").Model} model */
  constructor(model) {
    super(model, [...RELEVANCE_TRAITS, "method", "relevance_scale", "explained"]);
  }

  /** What stands behind the lines of channels; undefined if there is nothing, or while not all of it has arrived. */
  get relevance() {
    return this.relevanceOf(this.variant);
  }

  /**
   * The same of any variant.
   * @param {string} variant
   */
  relevanceOf(variant) {
    const { model, variants } = this;
    const of = [...RELEVANCE_TRAITS, "_variants"].map((name) => model.get(name));
    if (this.#arrived.changed(of)) this.#relevances.clear();
    if (!this.#relevances.has(variant) && relevanceHere(model)) {
      const at = Math.max(0, variants.indexOf(variant));
      this.#relevances.set(variant, new SeriesRelevance(model, at));
    }
    return this.#relevances.get(variant);
  }

  /**
   * The relevance that stands behind the lines of an example; undefined if there is none.
   * @param {number} example
   * @returns {Explanation | undefined}
   */
  explanation(example) {
    const { model, layer, lines, relevance } = this;
    if (!lines || !relevance) return undefined;
    const at = model.get("explained") ?? lines.inSeries(layer.name, example)(model.get("timestep"));
    const row = relevance.row(example, at);
    if (row === undefined) return undefined;
    const scale = model.get("relevance_scale");
    return {
      ...{ relevance, row, scale },
      method: relevance.method(model.get("method")),
      palette: model.get("palette"),
      largest: (of) => relevance.largest(of, scale === "all" ? undefined : row),
    };
  }

  /** Tokens stand beside no line. */
  get layers() {
    const all = super.layers;
    if (this.#bared.changed([all])) this.#bare = all.map((layer) => ({ ...layer, tokens: false }));
    return this.#bare;
  }

  /** What is told of the recording around the lines. @returns {any} */
  get source() {
    const { lines, layer, model } = this;
    if (!lines) return undefined;
    const [signal, example] = [model.get("signal"), model.get("example")];
    const [low, high] = lines.extent(["cell", model.get("cell"), layer.name, signal], example) ?? [
      0, 0,
    ];
    return {
      layer,
      signal,
      spelling: COUNTED,
      columns: layer.examples * layer.timesteps,
      largest: Math.max(-low, high),
      gate: signal.endsWith("_gate") && low >= 0 && high <= 1 && !this.difference,
      label: (/** @type {number} */ of) => lines.label(of),
      times: (/** @type {number} */ of) =>
        layer.times ? lines.axis(layer.name, of).times : undefined,
      token: () => undefined,
      notice: "",
      waiting: lines.waiting,
      less: this.difference,
      request: () => {},
    };
  }
}
