// What a host of widgets calls: one state for each model, one view for each place it is shown in.

import { State } from "../core/state.js";
import { Frame } from "./frame.js";

/** @typedef {import("../core/model.js").Model} Model */

/**
 * A widget's definition, made by a function: a host may share the module between widgets.
 * @param {string} name what the widget is called, for those who don't see it
 * @param {import("./frame.js").PaneClass[]} panes what the frame holds
 */
export function hosted(name, panes) {
  return () => {
    /** @type {State | undefined} */
    let state;
    return {
      /** @param {{model: Model}} host */
      initialize({ model }) {
        state = new State(model);
      },
      /** @param {{model: Model, el: HTMLElement}} host */
      render({ model, el }) {
        state ??= new State(model);
        const view = new Frame(state, el, name, panes);
        return () => view.destroy();
      },
    };
  };
}
