// What a widget's host gives us, as types, and bytes as hosts hand them over.

import { inLine } from "../lib/tokens.js";

/**
 * The part of a widget model that we use.
 * @typedef {object} Model
 * @property {(name: string) => any} get
 * @property {(name: string, value: unknown) => void} set
 * @property {() => void} save_changes
 * @property {(event: string, callback: (...args: any[]) => void) => void} on
 * @property {(event: string, callback: (...args: any[]) => void) => void} off
 * @property {(message: unknown, callbacks?: unknown, buffers?: ArrayBuffer[]) => void} send
 * @property {WidgetManager} [widget_manager] what Jupyter has that can show a widget within another
 */

/**
 * @typedef {object} WidgetManager
 * @property {(id: string) => Promise<unknown>} get_model
 * @property {(model: unknown) => Promise<{el: HTMLElement, remove: () => void}>} create_view
 */

/**
 * What newer hosts give beside a model: other widgets, by references.
 * @typedef {object} Host
 * @property {(reference: string) => Promise<Model>} getModel
 * @property {(reference: string) => Promise<{
 *   render: (view: {el: HTMLElement, signal: AbortSignal}) => Promise<void>}>} getWidget
 */

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
 * @property {import("../data/spelling.js").Kind} [spelling] how they spell a text; not if there are none
 * @property {boolean} labels
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

/** The last long text that was decoded: a host that hands over base64 does so each time. */
let decoded = { text: "", bytes: new Uint8Array(0) };
const LONG = 65_536;

/** @param {string} text in base64 */
function fromBase64(text) {
  if (text === decoded.text) return decoded.bytes;
  const characters = atob(text);
  const found = new Uint8Array(characters.length);
  // A plain loop: a callback for each of some millions takes seconds.
  for (let i = 0; i < found.length; i++) found[i] = characters.charCodeAt(i);
  if (text.length > LONG) decoded = { text, bytes: found };
  return found;
}

/**
 * Bytes from whatever a host hands over: a DataView with an offset, an ArrayBuffer, base64 text.
 * @param {any} value
 * @returns {Uint8Array}
 */
export function bytes(value) {
  if (!value) return new Uint8Array(0);
  if (typeof value === "string") return fromBase64(value);
  if (ArrayBuffer.isView(value)) {
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }
  return new Uint8Array(value);
}

/** @param {any} value */
const binary = (value) => ArrayBuffer.isView(value) || value instanceof ArrayBuffer;

/**
 * Whether two values of a trait are the same: hosts hand over the same in different objects.
 * @param {any} a
 * @param {any} b
 */
export function same(a, b) {
  if (Object.is(a, b)) return true;
  if (!a || !b || typeof a !== "object" || typeof b !== "object") return false;
  if (!binary(a) || !binary(b)) return JSON.stringify(a) === JSON.stringify(b);
  const [one, other] = [bytes(a), bytes(b)];
  if (one.length !== other.length) return false;
  for (let i = 0; i < one.length; i++) if (one[i] !== other[i]) return false;
  return true;
}

/**
 * Float32 values; a copy, since the bytes may stand at an odd address.
 * @param {any} value
 * @returns {Float32Array}
 */
export function floats(value) {
  return new Float32Array(bytes(value).slice().buffer);
}
