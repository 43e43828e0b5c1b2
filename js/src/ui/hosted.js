// What a host of widgets calls: one state for each model, one view for each place it is shown in.

import { RecordingState } from "../state/recording.js";
import { Frame } from "./frame.js";

/** @typedef {import("../host/model.js").Model} Model */
/** @typedef {import("../host/model.js").Host} Host */

/**
 * A widget's definition, made by a function: a host may share the module between widgets.
 * @template {import("../state/shared.js").SharedState} S
 * @param {(model: Model) => S} makeState
 * @param {(state: S, el: HTMLElement, host?: Host) => {destroy: () => void}} makeView
 */
export function hostedView(makeState, makeView) {
  return () => {
    /** @type {S | undefined} */
    let state;
    const end = () => {
      state?.dispose();
      state = undefined;
    };
    return {
      /** @param {{model: Model}} given */
      initialize({ model }) {
        // A host may do so for each view, or anew with another module.
        if (state?.model !== model) {
          end();
          state = makeState(model);
        }
        return end;
      },
      /** @param {{model: Model, el: HTMLElement, host?: Host}} given */
      render({ model, el, host }) {
        state ??= makeState(model);
        const view = makeView(state, el, host);
        return () => view.destroy();
      },
    };
  };
}

/**
 * The definition of a widget over a recording.
 * @param {string} name what the widget is called, for those who don't see it
 * @param {import("./frame.js").PaneClass[]} panes what the frame holds
 */
export function hosted(name, panes) {
  return hostedView(
    (model) => new RecordingState(model),
    (state, el) => new Frame(state, el, name, panes),
  );
}
