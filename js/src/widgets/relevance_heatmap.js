// RelevanceHeatmap: many examples as rows of words, and one of them in an Explorer.

import { RelevanceFrame } from "../panes/relevance/frame.js";
import { RelevanceState } from "../state/relevance.js";
import { hostedView } from "../ui/hosted.js";

export default hostedView(
  (model) => new RelevanceState(model),
  (state, el, host) => new RelevanceFrame(state, el, host),
);
