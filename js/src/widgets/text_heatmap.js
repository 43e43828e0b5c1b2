// TextHeatmap: one cell over running text.

import { MatchesPane } from "../panes/matches/pane.js";
import { TextPane } from "../panes/text/pane.js";
import { hosted } from "../ui/hosted.js";

export default hosted("Text heatmap", [TextPane, MatchesPane]);
