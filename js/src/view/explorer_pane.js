// The selected example in an Explorer: a widget of its own, whose model the host has.

import { element } from "./dom.js";

/** @typedef {import("./relevance_frame.js").RelevanceFrame} RelevanceFrame */

const MISSING =
  "There is no recording to explore. Give the one of the same inputs: " +
  "RelevanceHeatmap(relevance, recording=lw.record(model, inputs, tokens=tokens)).";
const LEFT_OUT = "The recording is not in this saved page: the Explorer needs the notebook.";

export class ExplorerPane {
  /** Which model is shown, and what shows it. */
  #shown = "";
  /** @type {{remove: () => void} | undefined} */
  #view;
  #gone = false;

  /** @param {RelevanceFrame} frame */
  constructor(frame) {
    this.frame = frame;
    this.state = frame.state;
    this.told = element("div", { class: "lw-explorer-told" });
    this.place = element("div", { class: "lw-explorer-place" });
    this.root = element("div", { class: "lw-explored", role: "region", "aria-label": "Explorer" }, [
      this.told,
      this.place,
    ]);
    this.menus = [];
    this.tools = [];
    this.body = []; // it stands below the foot
  }

  paint() {
    const { model, summary } = this.state;
    this.root.hidden = !model.get("exploring");
    if (this.root.hidden) return;
    const { recording } = summary;
    /** @type {string | null} */
    const reference = model.get("_explorer");
    let told = "";
    if (recording === "missing") told = MISSING;
    else if (recording === "left out") told = LEFT_OUT;
    else if (!reference) told = "The Explorer is on its way …";
    if (this.told.textContent !== told) this.told.textContent = told;
    if (reference && reference !== this.#shown) {
      this.#shown = reference;
      this.#mount(reference).catch((error) => {
        this.told.textContent = `The Explorer can't be shown here: ${error.message}`;
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
    const { widget_manager: manager } = this.state.model;
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
  }
}
