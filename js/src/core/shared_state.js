// What the views of one widget model share: they are told of every change, and who made it.

/** @typedef {import("./model.js").Model} Model */

export class SharedState {
  /** @type {Set<(names: Set<string>) => void>} */
  #views = new Set();
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
    model.on("msg:custom", (message) => {
      if (message?.kind !== "error") return;
      this.error = message.text;
      this.announce("error");
    });
    for (const name of shown) {
      model.on(`change:${name}`, () => {
        this.settle(name);
        this.error = "";
        this.announce(name);
      });
    }
  }

  /** Keep the traits in keeping with each other, before views hear of a change. @param {string} _name */
  settle(_name) {}

  /**
   * Change traits for a view.
   * @param {Record<string, unknown>} values
   * @param {unknown} origin the view
   */
  set(values, origin) {
    this.origin = origin;
    for (const [name, value] of Object.entries(values)) this.model.set(name, value);
    this.model.save_changes();
    this.origin = undefined;
  }

  /** @param {(names: Set<string>) => void} view */
  watch(view) {
    this.#views.add(view);
    return () => this.#views.delete(view);
  }

  /** Tell every view that something has changed. @param {string} name */
  announce(name) {
    for (const view of this.#views) view(new Set([name]));
  }
}
