// Explorer: grid, text and gates over one recording, with one selection.

import { FindingPane } from "../view/finding_pane.js";
import { GatesPane } from "../view/gates_pane.js";
import { GridPane } from "../view/grid_pane.js";
import { hosted } from "../view/host.js";
import { MatchesPane } from "../view/matches_pane.js";
import { TextPane } from "../view/text_pane.js";

export default hosted("Explorer", [GridPane, TextPane, GatesPane, MatchesPane, FindingPane], true);
