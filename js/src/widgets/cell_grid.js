// CellGrid: all cells over all timesteps.

import { GridPane } from "../view/grid_pane.js";
import { hosted } from "../view/host.js";

export default hosted("Cell grid", [GridPane]);
