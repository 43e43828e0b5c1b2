// TextHeatmap: one cell over running text.

import { hosted } from "../view/host.js";
import { MatchesPane } from "../view/matches_pane.js";
import { TextPane } from "../view/text_pane.js";

export default hosted("Text heatmap", [TextPane, MatchesPane]);
