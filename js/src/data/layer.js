// The layers of a recording, and what their cells are called.

import { inLine } from "../lib/tokens.js";

/**
 * One layer of a recording, as Python describes it.
 * @typedef {object} Layer
 * @property {string} name
 * @property {string} kind "LSTM", "GRU" or "SimpleRNN"
 * @property {boolean} go_backwards whether it reads from the end
 * @property {boolean} windowed whether each timestep has read a window of its own
 * @property {string[]} signals none of a layer that a saved page doesn't have
 * @property {string[]} [absent] signals that a saved page doesn't have
 * @property {boolean} [rounded] whether a saved page has codes in place of values
 * @property {number} examples
 * @property {number} timesteps
 * @property {number} cells
 * @property {boolean} masked
 * @property {boolean} tokens
 * @property {import("./spelling.js").Kind} [spelling] how they spell a text; not if there are none
 * @property {boolean} labels
 * @property {import("./times.js").SentTimes} [times] dates or numbers of timesteps, where known
 * @property {number} [predictions] how many guesses each timestep has
 * @property {{difference?: number, tolerance?: number, mode?: string}} check
 * @property {number} [run] where a model runs: the number of the run
 * @property {Record<number, string>} [notes] what a person wrote about cells
 * @property {number[]} [calls] of a layer that was called several times: the timesteps of each call
 * @property {"zero" | "given"} [initial] whether the states that it started from are zero; unknown if
 *   absent
 * @property {string[]} [parts] for both directions side by side: the names of the two
 */

/**
 * Where a cell of both directions stands in its own: "forward" or "backward", and its index there.
 * @param {Layer} layer
 * @param {number} cell
 * @returns {{part: number, index: number}}
 */
export function inPart(layer, cell) {
  const each = layer.cells / (layer.parts?.length ?? 1);
  return { part: Math.floor(cell / each), index: cell % each };
}

/** A cell's number, in its direction if there are two. @param {Layer} layer @param {number} cell */
export function cellNumber(layer, cell) {
  const { part, index } = inPart(layer, cell);
  return layer.parts ? `${"→←"[part]}${index}` : String(cell);
}

/** What a person calls a cell, the first line of its note; "" if nothing. @param {Layer} layer @param {number} cell */
export function givenName(layer, cell) {
  return (layer.notes?.[cell] ?? "").trim().split("\n")[0].trim();
}

/** A cell's name in a sentence. @param {Layer} layer @param {number} cell */
export function cellName(layer, cell) {
  const { part, index } = inPart(layer, cell);
  const given = givenName(layer, cell);
  return [
    `cell ${cell}`,
    ...(layer.parts ? [`(${["forward", "backward"][part]} ${index})`] : []),
    ...(given ? [`“${inLine(given)}”`] : []),
  ].join(" ");
}

/**
 * Layers with what a person wrote about their cells.
 * @param {Layer[]} layers
 * @param {Record<string, Record<string, string>> | undefined} notes by layer, or direction of it, and cell
 * @returns {Layer[]}
 */
export function noted(layers, notes = {}) {
  return layers.map((layer) => {
    const parts = layer.parts ?? [layer.name];
    const each = layer.cells / parts.length;
    const own = parts.flatMap((name, part) =>
      Object.entries(notes[name] ?? {}).map(([cell, text]) => [part * each + Number(cell), text]),
    );
    return own.length > 0 ? { ...layer, notes: Object.fromEntries(own) } : layer;
  });
}
