// GateInspector: all signals of one cell, and why its state changed.

import { GatesPane } from "../view/gates_pane.js";
import { hosted } from "../view/host.js";

export default hosted("Gate inspector", [GatesPane]);
