// A widget within another: one of its own, whose model the host has.

import { element, write } from "../lib/dom.js";

/**
 * What is shown within another widget.
 * @typedef {object} Inner
 * @property {string} name what it is
 * @property {string} shown the trait that says whether it is
 * @property {string} reference the trait that has its model
 * @property {() => string} told why it isn't there; "" while it is on its way
 * @property {string} waiting what is said meanwhile
 */

/** @typedef {{state: import("../state/shared.js").SharedState, host?: any}} Outer */

export class InnerPane {
  menus = /** @type {Node[]} */ ([]);
  tools = /** @type {Node[]} */ ([]);
  body = /** @type {Node[]} */ ([]);
  hovered = undefined;
  /** Which model is shown, and what shows it. */
  #shown = "";
  /** @type {{remove: () => void} | undefined} */
  #view;
  #gone = false;

  /**
   * @param {Outer} frame
   * @param {Inner} inner
   */
  constructor(frame, inner) {
    this.frame = frame;
    this.inner = inner;
    this.told = element("div", { class: "lw-inner-told" });
    this.place = element("div");
    this.root = element("div", { class: "lw-inner", role: "region", "aria-label": inner.name }, [
      this.told,
      this.place,
    ]);
    this.below = [this.root];
  }

  paint() {
    const { model } = this.frame.state;
    const { inner } = this;
    this.root.hidden = !model.get(inner.shown);
    if (this.root.hidden) return;
    /** @type {string | null} */
    const reference = model.get(inner.reference);
    const told = inner.told() || (reference ? "" : inner.waiting);
    write(this.told, told);
    if (reference && reference !== this.#shown) {
      this.#shown = reference;
      this.#mount(reference).catch((error) => {
        this.told.textContent = `The ${inner.name} can't be shown here: ${error.message}`;
      });
    }
  }

  /** @param {string} reference as hosts write it: IPY_MODEL_ and the model's id */
  async #mount(reference) {
    const view = await this.#viewOf(reference.replace(/^IPY_MODEL_/, ""));
    if (this.#gone || reference !== this.#shown) {
      view.remove();
      return;
    }
    this.#view?.remove();
    this.#view = view;
    this.place.replaceChildren(view.el);
  }

  /**
   * Show a widget: by what newer hosts give, or by what only Jupyter has.
   * @param {string} id
   * @returns {Promise<{el: HTMLElement, remove: () => void}>}
   */
  async #viewOf(id) {
    const { host } = this.frame;
    const { widget_manager: manager } = this.frame.state.model;
    if (!host?.getWidget) {
      if (!manager?.create_view) throw new Error("this host shows no widget within another");
      return await manager.create_view(await manager.get_model(id));
    }
    const reference = `anywidget:${id}`;
    const [child, model] = await Promise.all([host.getWidget(reference), host.getModel(reference)]);
    const el = element("div");
    // A style sheet doesn't reach into a shadow root: hosts that draw in one put it beside each widget.
    const css = model.get("_css");
    const inside = this.root.getRootNode() instanceof ShadowRoot && typeof css === "string";
    const holder = inside ? element("div", {}, [element("style", {}, [css]), el]) : el;
    const ending = new AbortController();
    await child.render({ el, signal: ending.signal });
    const remove = () => {
      ending.abort();
      holder.remove();
    };
    return { el: holder, remove };
  }

  changed() {}

  resize() {}

  destroy() {
    this.#gone = true;
    this.#view?.remove();
    this.root.remove();
  }
}
