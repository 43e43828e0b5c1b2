// What a widget's host gives us, as types, and bytes as hosts hand them over.

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

/** The last long text that was decoded: a host that hands over base64 does so each time. */
let decoded = { text: "", bytes: new Uint8Array(0) };
const LONG = 65_536;

/** Browsers from 2025 on decode themselves, in about half the time. @type {((text: string) => Uint8Array<ArrayBuffer>) | undefined} */
const native = /** @type {any} */ (Uint8Array).fromBase64;

/** @param {string} text in base64 */
function characterwise(text) {
  const characters = atob(text);
  const found = new Uint8Array(characters.length);
  // A plain loop: a callback for each of some millions takes seconds.
  for (let i = 0; i < found.length; i++) found[i] = characters.charCodeAt(i);
  return found;
}

/** @param {string} text in base64 */
function fromBase64(text) {
  if (text === decoded.text) return decoded.bytes;
  const found = native ? native.call(Uint8Array, text) : characterwise(text);
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
