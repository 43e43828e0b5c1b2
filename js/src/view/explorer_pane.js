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
    const manager = this.state.model.widget_manager;
    if (!manager) throw new Error("this host shows no widget within another");
    const child = await manager.get_model(reference.replace(/^IPY_MODEL_/, ""));
    const view = await manager.create_view(child);
    if (this.#gone) {
      view.remove();
      return;
    }
    this.#view?.remove();
    this.#view = view;
    this.place.replaceChildren(view.el);
  }

  changed() {}

  resize() {}

  destroy() {
    this.#gone = true;
    this.#view?.remove();
  }
}
