// CellFinder: a ranking of cells with its evidence, and below it the grid and the text.

import { FinderPane } from "../view/finder_pane.js";
import { GridPane } from "../view/grid_pane.js";
import { hosted } from "../view/host.js";
import { MatchesPane } from "../view/matches_pane.js";
import { TextPane } from "../view/text_pane.js";

export default hosted("Cell finder", [FinderPane, GridPane, TextPane, MatchesPane]);
