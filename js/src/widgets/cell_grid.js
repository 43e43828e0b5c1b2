// CellGrid: all cells over all timesteps.

import { GridPane } from "../panes/grid/pane.js";
import { MatchesPane } from "../panes/matches/pane.js";
import { hosted } from "../ui/hosted.js";

export default hosted("Cell grid", [GridPane, MatchesPane]);
