// DependencyHeatmap: how strongly predictions depend on each token that was read before.

import { DependencyFrame } from "../panes/dependency/frame.js";
import { DependencyState } from "../state/dependency.js";
import { hostedView } from "../ui/hosted.js";

export default hostedView(
  (model) => new DependencyState(model),
  (state, el) => new DependencyFrame(state, el),
);
