// What CellFinder and the Explorer have in common: a grid, and below it the text; of a series, lines.

import { LinesBelowPane } from "../panes/series/pane.js";
import { TextPane } from "../panes/text/pane.js";
import { SeriesState } from "../state/series.js";
import { Frame } from "../ui/frame.js";
import { hostedView } from "../ui/hosted.js";

/** @typedef {import("../ui/frame.js").PaneClass} PaneClass */

/**
 * The definition of a widget over a recording of texts or of series.
 * @param {string} name what the widget is called, for those who don't see it
 * @param {(read: PaneClass) => PaneClass[]} panes what the frame holds, with the pane of what was read
 * @param {object} [more]
 * @param {(model: import("../host/model.js").Model) => SeriesState} [more.makeState]
 * @param {import("../ui/chrome.js").Splits} [more.split] where panes stand beside each other if there is room
 */
export function gridAndText(name, panes, { makeState, split } = {}) {
  return hostedView(makeState ?? ((model) => new SeriesState(model)), (state, el) => {
    const read = /** @type {PaneClass} */ (state.overSeries ? LinesBelowPane : TextPane);
    return new Frame(state, el, name, panes(read), split);
  });
}
