// Explorer: grid, text and gates over one recording, with one selection.

import { FindingPane } from "../panes/finding/pane.js";
import { GatesPane } from "../panes/gates/pane.js";
import { GridPane } from "../panes/grid/pane.js";
import { MatchesPane } from "../panes/matches/pane.js";
import { TextPane } from "../panes/text/pane.js";
import { hosted } from "../ui/hosted.js";

export default hosted("Explorer", [GridPane, TextPane, GatesPane, MatchesPane, FindingPane], true);
