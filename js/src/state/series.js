// A recording in the page as lines over time: which there are, and which are shown.

import { Memo } from "../lib/memo.js";
import { RecordingState } from "./recording.js";

/** @typedef {import("../data/lines.js").Key} Key */

/**
 * What stands together: one line, or what a model said over what it should have said.
 * @typedef {object} Subject
 * @property {"channel" | "output" | "cell" | "track"} kind
 * @property {string} name
 * @property {string} unit
 * @property {number} hue which of the colours of its kind
 * @property {Key[]} keys from behind to the front
 * @property {boolean} [yesNo]
 * @property {string} [told] of a concept that a probe reads: how well
 * @property {number} [cell]
 */

export class SeriesState extends RecordingState {
  #listed = new Memo();
  /** @type {Subject[]} */
  #subjects = [];

  /**
   * @param {import("../host/model.js").Model} model
   * @param {string[]} more further traits whose change any view has to show
   */
  constructor(model, more = []) {
    super(model, ["channels", "outputs", "arrange", "subject", ...more]);
  }

  /** Whether lines stand in the place of a text: Python decides likewise. */
  get overSeries() {
    const { model, layers } = this;
    return Object.keys(model.get("_axes")).length > 0 && !layers.some(({ tokens }) => tokens);
  }

  /** Every line that can be shown, in the order in which they stand. */
  get everySubject() {
    const { model, layer } = this;
    const beside = model.get("_beside");
    const [signal, cell, pinned] = ["signal", "cell", "cells"].map((name) => model.get(name));
    if (this.#listed.changed([beside, layer, signal, cell, pinned, this.variant])) {
      this.#subjects = this.#list(beside, pinned.includes(cell) ? pinned : [cell, ...pinned]);
    }
    return this.#subjects;
  }

  /**
   * @param {import("../data/lines.js").Beside} beside
   * @param {number[]} cells
   * @returns {Subject[]}
   */
  #list({ channels, outputs, tracks }, cells) {
    const { layer, model } = this;
    const key = (/** @type {string} */ kind, /** @type {number} */ index, of = "", signal = "") =>
      /** @type {Key} */ ([kind, index, of, signal]);
    const part = layer.parts?.[0] ?? layer.name;
    return [
      ...channels.map(({ name, unit }, i) => ({
        .../** @type {const} */ ({ kind: "channel", hue: i }),
        ...{ name, unit, keys: [key("channel", i)] },
      })),
      ...outputs.map(({ name, unit, output, target }, i) => ({
        .../** @type {const} */ ({ kind: "output", hue: i }),
        ...{ name, unit },
        keys: [
          ...(target === null ? [] : [key("target", target)]),
          ...(output === null ? [] : [key("output", output)]),
        ],
      })),
      ...cells.map((cell, i) => ({
        .../** @type {const} */ ({ kind: "cell", hue: i, unit: "" }),
        ...{ name: "", cell, keys: [key("cell", cell, layer.name, model.get("signal"))] },
      })),
      ...(tracks[part] ?? []).map(({ name, yes_no: yesNo, read }, i) => ({
        .../** @type {const} */ ({ kind: "track", hue: i, unit: "" }),
        ...{ name, yesNo, told: (typeof read === "object" ? read?.[this.variant] : read) ?? "" },
        keys: [key("track", i, part), ...(read ? [key("readout", i, part)] : [])],
      })),
    ];
  }

  /** Whether a line is shown. @param {Subject} subject */
  shows({ kind, name }) {
    const { model } = this;
    if (kind === "track") return !model.get("hidden_tracks").includes(name);
    if (kind === "cell") return true;
    const chosen = model.get(kind === "channel" ? "channels" : "outputs");
    return !chosen || chosen.includes(name);
  }

  get subjects() {
    return this.everySubject.filter((subject) => this.shows(subject));
  }

  /**
   * Show or hide a line.
   * @param {Subject} subject
   * @param {boolean} shown
   * @param {unknown} origin
   */
  show({ kind, name }, shown, origin) {
    if (kind === "track") {
      const others = this.model
        .get("hidden_tracks")
        .filter((/** @type {string} */ n) => n !== name);
      this.set({ hidden_tracks: shown ? others : [...others, name] }, origin);
      return;
    }
    const of = this.everySubject.filter((one) => one.kind === kind);
    const names = of.filter((one) => (one.name === name ? shown : this.shows(one)));
    const all = names.length === of.length;
    const trait = kind === "channel" ? "channels" : "outputs";
    this.set({ [trait]: all ? null : names.map((one) => one.name) }, origin);
  }

  /** The line that every example is shown with. */
  get subject() {
    const { everySubject: all, model } = this;
    const wanted = model.get("subject");
    const named = all.find(({ kind, name }) =>
      wanted === "cell" ? kind === "cell" : name === wanted,
    );
    return (
      named ?? all.find(({ kind }) => kind === "output") ?? all.find(({ kind }) => kind === "cell")
    );
  }
}
