// CellFinder: a ranking of cells with its evidence, and below it the grid and the text; of a series, lines.

import { FinderPane } from "../panes/finder/pane.js";
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
    return new Frame(state, el, "Cell finder", [FinderPane, GridPane, read, MatchesPane], false);
  },
);
