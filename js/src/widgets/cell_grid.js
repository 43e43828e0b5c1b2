// CellGrid: all cells over all timesteps.

import { GridPane } from "../view/grid_pane.js";
import { hosted } from "../view/host.js";
import { MatchesPane } from "../view/matches_pane.js";

export default hosted("Cell grid", [GridPane, MatchesPane]);
