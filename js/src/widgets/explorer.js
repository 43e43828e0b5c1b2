// Explorer: grid, text and gates over one recording, with one selection; over a series, lines in the place
// of the text.

import { FindingPane } from "../panes/finding/pane.js";
import { GatesPane } from "../panes/gates/pane.js";
import { GridPane } from "../panes/grid/pane.js";
import { MatchesPane } from "../panes/matches/pane.js";
import { splitPanes } from "../ui/split.js";
import { gridAndText } from "./grid_and_text.js";

export default gridAndText(
  "Explorer",
  (read) => [GridPane, read, GatesPane, MatchesPane, FindingPane],
  { split: splitPanes },
);
