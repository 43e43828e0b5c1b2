// Relevance in the page: what is shown of it, and changes to the selection.

import { KernelExamples, WholeExamples } from "../data/examples.js";
import { bytes } from "../host/model.js";
import { SharedState } from "./shared.js";

/** Traits whose change any view has to show. */
const SHOWN = [
  "example",
  "timestep",
  "method",
  "channel",
  "all_methods",
  "scale",
  "palette",
  "sort",
  "predicted",
  "outcome",
  "search",
  "lines",
  "unfolded",
  "exploring",
  "_explorer",
];

export class RelevanceState extends SharedState {
  /** @param {import("../host/model.js").Model} model */
  constructor(model) {
    super(model, SHOWN);
    const whole = bytes(model.get("_whole")).length > 0;
    /** What to draw from. */
    this.examples = whole
      ? new WholeExamples(model)
      : new KernelExamples(model, () => this.announce("arrival"));
  }

  dispose() {
    super.dispose();
    this.examples.dispose();
  }

  get summary() {
    return this.examples.summary;
  }

  /** The numbers of the methods that have a band. */
  get bands() {
    const { methods } = this.summary;
    const selected = this.method;
    return methods.map((_, m) => m).filter((m) => this.model.get("all_methods") || m === selected);
  }

  /** The number of the selected method. */
  get method() {
    const name = this.model.get("method");
    return Math.max(
      0,
      this.summary.methods.findIndex((method) => method.name === name),
    );
  }

  /** The number of the selected channel of a series. */
  get channel() {
    return Math.max(0, Math.min(this.model.get("channel"), this.summary.channels.length - 1));
  }

  /** The examples that pass the filters, in order; undefined if they are on their way. */
  get order() {
    const get = (/** @type {string} */ name) => this.model.get(name);
    return this.examples.order({
      sort: get("sort"),
      predicted: get("predicted"),
      outcome: get("outcome"),
      search: get("search"),
    });
  }

  /** A class's name, or else its number. @param {number} number */
  className(number) {
    return this.summary.classes.find(([known]) => known === number)?.[1] ?? String(number);
  }
}
