// CellFinder: a ranking of cells with its evidence, and below it the grid and the text; of a series, lines.

import { FinderPane } from "../panes/finder/pane.js";
import { GridPane } from "../panes/grid/pane.js";
import { MatchesPane } from "../panes/matches/pane.js";
import { FinderState } from "../state/finder.js";
import { gridAndText } from "./grid_and_text.js";

export default gridAndText("Cell finder", (read) => [FinderPane, GridPane, read, MatchesPane], {
  makeState: (model) => new FinderState(model),
});
