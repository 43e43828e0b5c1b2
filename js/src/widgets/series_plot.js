// SeriesPlot: channels, forecasts, cells and concepts as lines over time.

import { MatchesPane } from "../panes/matches/pane.js";
import { SeriesFrame } from "../panes/series/frame.js";
import { SeriesState } from "../state/series.js";
import { hostedView } from "../ui/hosted.js";

export default hostedView(
  (model) => new SeriesState(model),
  (state, el) => new SeriesFrame(state, el, [MatchesPane]),
);
