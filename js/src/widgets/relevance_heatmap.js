// RelevanceHeatmap: many examples as rows of words, and one of them in an Explorer.

import { RelevanceState } from "../core/relevance_state.js";
import { hostedView } from "../view/host.js";
import { RelevanceFrame } from "../view/relevance_frame.js";

export default hostedView(
  (model) => new RelevanceState(model),
  (state, el, host) => new RelevanceFrame(state, el, host),
);
