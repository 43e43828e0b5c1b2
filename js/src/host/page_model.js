// A widget's model where there is no kernel: it keeps what is set, and tells who listens.

import { bytes } from "./model.js";

/** Answers whatever needs a kernel. */
export const NO_KERNEL = "This is a saved page, without a kernel: that needs the notebook.";

/** A `Model`, see host/model.js. */
export class PageModel {
  #values;
  /** What has the widgets within this one. @type {Pick<import("./model.js").WidgetManager, "get_model"> | undefined} */
  widget_manager;
  /** @type {Map<string, Set<(...args: any[]) => void>>} */
  #callbacks = new Map();

  /** @param {Record<string, any>} values */
  constructor(values) {
    this.#values = new Map(Object.entries(values));
  }

  /** @param {string} name */
  get(name) {
    return this.#values.get(name);
  }

  /**
   * @param {string} name
   * @param {unknown} value
   */
  set(name, value) {
    if (this.#values.get(name) === value) return;
    this.#values.set(name, value);
    this.#emit(`change:${name}`, this, value);
    this.#emit("change", this);
  }

  save_changes() {}

  /**
   * @param {string} event
   * @param {(...args: any[]) => void} callback
   */
  on(event, callback) {
    this.#callbacks.set(event, (this.#callbacks.get(event) ?? new Set()).add(callback));
  }

  /**
   * @param {string} event
   * @param {(...args: any[]) => void} callback
   */
  off(event, callback) {
    this.#callbacks.get(event)?.delete(callback);
  }

  /** @param {any} message */
  send(message) {
    setTimeout(() => this.#emit("msg:custom", { id: message?.id, error: NO_KERNEL }, []));
  }

  /**
   * @param {string} event
   * @param {unknown[]} args
   */
  #emit(event, ...args) {
    for (const callback of [...(this.#callbacks.get(event) ?? [])]) callback(...args);
  }
}

/**
 * The model of a widget, which has those of the widgets within it.
 * @param {Record<string, Record<string, any>>} values by the widgets' names; its own is ""
 */
export function pageModels(values) {
  const models = new Map(Object.entries(values).map(([of, each]) => [of, new PageModel(each)]));
  const model = /** @type {PageModel} */ (models.get(""));
  model.widget_manager = { get_model: async (of) => models.get(of) };
  return model;
}

/**
 * The bytes of a text in base64, of what gzip made.
 * @param {string} text
 * @returns {Promise<DataView>}
 */
export async function unpack(text) {
  if (typeof DecompressionStream === "undefined") {
    throw new Error("this browser is too old to unpack the values; one of 2023 or later can");
  }
  const packed = new Blob([/** @type {BlobPart} */ (bytes(text))]).stream();
  const buffer = await new Response(
    packed.pipeThrough(new DecompressionStream("gzip")),
  ).arrayBuffer();
  return new DataView(buffer);
}
