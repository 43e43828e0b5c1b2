// A recording of which the page has nothing but lines over time.

import { Spelling } from "../data/spelling.js";
import { Memo } from "../lib/memo.js";
import { SeriesState } from "./series.js";

/** How the timesteps of lines are spelt: not at all. */
const COUNTED = new Spelling();

export class LinesOnlyState extends SeriesState {
  #bared = new Memo();
  /** @type {import("../data/layer.js").Layer[]} */
  #bare = [];

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
      gate: signal.endsWith("_gate") && low >= 0 && high <= 1,
      label: (/** @type {number} */ of) => lines.label(of),
      times: (/** @type {number} */ of) =>
        layer.times ? lines.axis(layer.name, of).times : undefined,
      token: () => undefined,
      notice: "",
      request: () => {},
    };
  }
}
