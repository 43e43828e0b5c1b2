// CellFinder: a ranking of cells with its evidence, and below it the grid and the text.

import { FinderPane } from "../panes/finder/pane.js";
import { GridPane } from "../panes/grid/pane.js";
import { MatchesPane } from "../panes/matches/pane.js";
import { TextPane } from "../panes/text/pane.js";
import { hosted } from "../ui/hosted.js";

export default hosted("Cell finder", [FinderPane, GridPane, TextPane, MatchesPane]);
