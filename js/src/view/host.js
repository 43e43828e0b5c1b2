// What a host of widgets calls: one state for each model, one view for each place it is shown in.

import { State } from "../core/state.js";

/** @typedef {import("../core/model.js").Model} Model */

/**
 * A widget's definition, made by a function: a host may share the module between widgets.
 * @param {new (state: State, el: HTMLElement) => {destroy(): void}} View
 */
export function hosted(View) {
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
        const view = new View(state, el);
        return () => view.destroy();
      },
    };
  };
}
