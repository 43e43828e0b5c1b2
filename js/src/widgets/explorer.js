// Explorer: grid, text and gates over one recording, with one selection; over a series, lines in the place
// of the text.

import { div } from "../lib/dom.js";
import { FindingPane } from "../panes/finding/pane.js";
import { GatesPane } from "../panes/gates/pane.js";
import { GridPane } from "../panes/grid/pane.js";
import { MatchesPane } from "../panes/matches/pane.js";
import { SeriesPane } from "../panes/series/pane.js";
import { TextPane } from "../panes/text/pane.js";
import { SeriesState } from "../state/series.js";
import { Frame } from "../ui/frame.js";
import { hostedView } from "../ui/hosted.js";

/** @typedef {import("../ui/frame.js").PaneClass} PaneClass */

/** Lines whose controls stand by themselves: the bar has those of the grid. */
class LinesPane extends SeriesPane {
  /** @param {Frame} frame */
  constructor(frame) {
    super(frame);
    const [lines, ...others] = this.body;
    this.body = [div("lw-caption", [lines, div("lw-caption-tools", [...this.tools])]), ...others];
    this.tools.length = 0;
  }
}

export default hostedView(
  (model) => new SeriesState(model),
  (state, el) => {
    const lines = state.hasSeries && !state.layers.some(({ tokens }) => tokens);
    const read = /** @type {PaneClass} */ (lines ? LinesPane : TextPane);
    const panes = [GridPane, read, GatesPane, MatchesPane, FindingPane];
    return new Frame(state, el, "Explorer", panes, true);
  },
);
