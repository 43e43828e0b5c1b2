// Dependencies in the page: what is shown of them, and changes to the selection.

import { KernelRows, summary, WholeRows } from "../data/dependency.js";
import { Passage } from "../data/passage.js";
import { Spelling } from "../data/spelling.js";
import { bytes } from "../host/model.js";
import { clamp } from "../lib/clamp.js";
import { placeOf } from "../lib/sorted.js";
import { SharedState } from "./shared.js";

/** @typedef {import("../data/dependency.js").ModelInfo} ModelInfo */
/** @typedef {import("../data/dependency.js").Extent} Extent */
/** @typedef {import("../data/dependency.js").Row} Row */
/** @typedef {import("../data/dependency.js").Text} Text */

/** Traits whose change any view has to show. */
const SHOWN = [
  ...[
    "example",
    "timestep",
    "input_timestep",
    "scale",
    "same_scale",
    "log_scale",
    "hover",
    "marks",
  ],
  ...["align", "palette", "_models", "_text", "_whole"],
];

export class DependencyState extends SharedState {
  /** @type {WholeRows | KernelRows | undefined} */
  #rows;
  /** @type {{text: Text | undefined, example: number, passage: Passage} | undefined} */
  #passage;
  #spelling = new Spelling();
  /** @type {{of: unknown, stop: number, timesteps: number[]} | undefined} */
  #available;

  /** @param {import("../host/model.js").Model} model */
  constructor(model) {
    super(model, SHOWN);
  }

  dispose() {
    super.dispose();
    this.#rows?.dispose();
  }

  /** @returns {ModelInfo[]} */
  get models() {
    return this.model.get("_models");
  }

  /** @returns {Extent} */
  get extent() {
    return this.model.get("_extent");
  }

  /** How the tokens spell the text. */
  get spelling() {
    const { spelling } = this.extent;
    if (this.#spelling.kind !== spelling) this.#spelling = new Spelling(spelling);
    return this.#spelling;
  }

  /** @returns {number} */
  get example() {
    return this.model.get("example");
  }

  /** @returns {number} */
  get timestep() {
    return this.model.get("timestep");
  }

  /** The timestep after the last of the selected example. */
  get stop() {
    return this.stopOf(this.example);
  }

  /** The same of any example. @param {number} example */
  stopOf(example) {
    const { stop, stops } = this.extent;
    return stops?.[example] ?? stop;
  }

  /**
   * What is selected where another example is: its last prediction, if it ends before the timestep.
   * @param {number} example
   */
  chosen(example) {
    const stop = this.stopOf(example);
    if (this.timestep < stop) return { example };
    const timestep = this.#every.filter((each) => each < stop).pop();
    return timestep === undefined ? { example } : { example, timestep };
  }

  /** Whether there is nothing at all. */
  get empty() {
    const { first, stop, examples } = this.extent;
    return examples === 0 || stop === first;
  }

  /** Whether so few of a model's predictions were computed that these are marked. @param {number} k */
  few(k) {
    const { first, stop } = this.extent;
    return 2 * this.models[k].timesteps.length < stop - first;
  }

  /** A link may bring what this text doesn't have. @param {string} name */
  settle(name) {
    const { model } = this;
    const { first, stop, examples } = this.extent;
    const value = model.get(name);
    if (name === "example") this.put({ [name]: clamp(value, 0, examples - 1) });
    if (name === "timestep" || (name === "input_timestep" && value !== null)) {
      this.put({ [name]: clamp(value, first, stop - 1) });
    }
    if (name === "_whole" || name === "_models") {
      this.#rows?.dispose();
      this.#rows = undefined;
    }
  }

  /** The timesteps after which at least one model's prediction was computed, in order. */
  get available() {
    const { models, stop } = this;
    if (this.#available?.of !== models || this.#available.stop !== stop) {
      const timesteps = this.#every.filter((timestep) => timestep < stop);
      this.#available = { of: models, stop, timesteps };
    }
    return this.#available.timesteps;
  }

  /** The same of all examples. */
  get #every() {
    const timesteps = [...new Set(this.models.flatMap((model) => model.timesteps))];
    return timesteps.sort((a, b) => a - b);
  }

  get #source() {
    if (!this.#rows) {
      const whole = this.model.get("_whole");
      this.#rows =
        bytes(whole).length > 0 || this.#every.length === 0
          ? new WholeRows(whole, this.models)
          : new KernelRows(this.model, this.models, () => this.announce("arrival"));
    }
    return this.#rows;
  }

  get notice() {
    return this.#source.notice;
  }

  request() {
    this.#source.request(this.example);
  }

  /** @returns {Text | undefined} undefined if it is on its way */
  get text() {
    const source = this.#source;
    return source instanceof KernelRows
      ? source.text(this.example)
      : this.model.get("_text")[this.example];
  }

  /** The tokens of the selected example, as far as they are here. */
  get passage() {
    const { text, example } = this;
    const kept = this.#passage;
    if (kept && kept.text === text && kept.example === example) return kept.passage;
    const { stop } = this;
    const { first } = this.extent;
    const known = text === undefined || text.tokens !== null;
    const passage = known ? new Passage(stop - first) : Passage.blank(stop - first);
    passage.add(text?.tokens ?? []);
    this.#passage = { text, example, passage };
    return passage;
  }

  /** @param {number} timestep */
  token(timestep) {
    return this.text?.tokens?.[timestep - this.extent.first];
  }

  /** What the selected example is called. */
  get label() {
    return this.extent.labels?.[this.example];
  }

  /** When a timestep of a series is, as far as that is known. @param {number} timestep */
  time(timestep) {
    return this.text?.times?.[timestep - this.extent.first] || undefined;
  }

  /** What timesteps are called. */
  get noun() {
    return this.extent.series ? "timestep" : "token";
  }

  /**
   * What a model's prediction depends on.
   * @param {number} k
   * @param {number} timestep
   * @returns {Row | "none" | undefined} "none" if it was not computed, undefined if it is on its way;
   *   without values if nothing is known of it. `start` is a timestep.
   */
  row(k, timestep) {
    const { timesteps, first } = this.models[k];
    const at = placeOf(timesteps, timestep);
    if (at < 0) return "none";
    const row = this.#source.row(k, this.example, at);
    return row && { start: row.start + first, values: row.values };
  }

  /** All of a model's predictions, with the last tokens before each. @param {number} k */
  near(k) {
    return this.#source.near(k, this.example);
  }

  /**
   * What the last colour stands for: for each model; 0 where nothing is known.
   * @param {number} timestep
   */
  largest(timestep) {
    const { models, model } = this;
    const each = models.map(({ largest }, k) => {
      if (model.get("scale") === "all") return largest;
      const row = this.row(k, timestep);
      return row && row !== "none" ? summary(row, timestep).largest : 0;
    });
    const most = Math.max(...each);
    return model.get("same_scale") ? each.map(() => most) : each;
  }

  /**
   * The timestep on which a model's prediction depends the most; -1 if that is not known.
   * @param {number} k
   * @param {number} timestep
   */
  strongest(k, timestep) {
    const row = this.row(k, timestep);
    return row && row !== "none" ? summary(row, timestep).at : -1;
  }
}
