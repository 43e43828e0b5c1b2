// Explorer: grid, text and gates over one recording, with one selection; over a series, lines in the place
// of the text.

import { FindingPane } from "../panes/finding/pane.js";
import { GatesPane } from "../panes/gates/pane.js";
import { GridPane } from "../panes/grid/pane.js";
import { MatchesPane } from "../panes/matches/pane.js";
import { LinesBelowPane } from "../panes/series/pane.js";
import { TextPane } from "../panes/text/pane.js";
import { SeriesState } from "../state/series.js";
import { Frame } from "../ui/frame.js";
import { hostedView } from "../ui/hosted.js";

/** @typedef {import("../ui/frame.js").PaneClass} PaneClass */

export default hostedView(
  (model) => new SeriesState(model),
  (state, el) => {
    const read = /** @type {PaneClass} */ (state.overSeries ? LinesBelowPane : TextPane);
    const panes = [GridPane, read, GatesPane, MatchesPane, FindingPane];
    return new Frame(state, el, "Explorer", panes, true);
  },
);
