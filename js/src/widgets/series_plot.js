// SeriesPlot: channels, forecasts, cells and concepts as lines over time.

import { MatchesPane } from "../panes/matches/pane.js";
import { SeriesFrame } from "../panes/series/frame.js";
import { LinesOnlyState } from "../state/lines_only.js";
import { hostedView } from "../ui/hosted.js";

export default hostedView(
  (model) => new LinesOnlyState(model),
  (state, el) => new SeriesFrame(state, el, [MatchesPane]),
);
