// What the views of one widget model share: they are told of every change, and who made it.

import { same } from "../host/model.js";

/** @typedef {import("../host/model.js").Model} Model */

export class SharedState {
  /** @type {Set<(names: Set<string>) => void>} */
  #views = new Set();
  /** What ends listening to the model. @type {(() => void)[]} */
  #ends = [];
  /** The view that is just changing something; undefined when the change comes from elsewhere. */
  origin = /** @type {unknown} */ (undefined);
  /** What the kernel could not do with a change that came from here. */
  error = "";

  /**
   * @param {Model} model
   * @param {string[]} shown traits whose change any view has to show
   */
  constructor(model, shown) {
    this.model = model;
    this.#listen("msg:custom", (message) => {
      if (message?.kind !== "error") return;
      this.error = message.text;
      this.announce("error");
    });
    for (const name of shown) {
      let known = model.get(name);
      this.#listen(`change:${name}`, () => {
        // A host may tell of a change that is none, or hand over the same in another object.
        const value = model.get(name);
        if (same(value, known)) return;
        known = value;
        this.settle(name);
        this.error = "";
        this.announce(name);
      });
    }
  }

  /**
   * @param {string} event
   * @param {(...args: any[]) => void} call
   */
  #listen(event, call) {
    this.model.on(event, call);
    this.#ends.push(() => this.model.off(event, call));
  }

  /** Let go of the model. */
  dispose() {
    for (const end of this.#ends) end();
    this.#ends = [];
  }

  /** Keep the traits in keeping with each other, before views hear of a change. @param {string} _name */
  settle(_name) {}

  /**
   * Change traits for a view; setting what is already so does nothing.
   * @param {Record<string, unknown>} values
   * @param {unknown} origin the view
   */
  set(values, origin) {
    const before = this.origin;
    this.origin = origin;
    try {
      if (this.put(values)) this.model.save_changes();
    } finally {
      this.origin = before;
    }
  }

  /**
   * What makes, for each trait, what a control calls with its value.
   * @param {unknown} origin the view that the controls belong to
   * @returns {(name: string) => (value: unknown) => void}
   */
  setter(origin) {
    return (name) => (value) => this.set({ [name]: value }, origin);
  }

  /**
   * Change traits, but for those that are so already; tell whether there was one to change.
   * @param {Record<string, unknown>} values
   */
  put(values) {
    const { model } = this;
    const changed = Object.entries(values).filter(([name, value]) => !same(model.get(name), value));
    for (const [name, value] of changed) model.set(name, value);
    return changed.length > 0;
  }

  /** @param {(names: Set<string>) => void} view */
  watch(view) {
    this.#views.add(view);
    return () => this.#views.delete(view);
  }

  /** Tell every view that something has changed. @param {string} name */
  announce(name) {
    for (const view of [...this.#views]) view(new Set([name]));
  }
}
