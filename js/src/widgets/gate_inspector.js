// GateInspector: all signals of one cell, and why its state changed.

import { GatesPane } from "../panes/gates/pane.js";
import { hosted } from "../ui/hosted.js";

export default hosted("Gate inspector", [GatesPane]);
