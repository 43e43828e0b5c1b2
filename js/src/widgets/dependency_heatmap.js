// DependencyHeatmap: how strongly predictions depend on each token that was read before.

import { DependencyState } from "../core/dependency.js";
import { DependencyFrame } from "../view/dependency_frame.js";
import { hostedView } from "../view/host.js";

export default hostedView(
  (model) => new DependencyState(model),
  (state, el) => new DependencyFrame(state, el),
);
