// StateSpace: states as points and trajectories, fixed points among them.

import { SpaceFrame } from "../panes/space/frame.js";
import { SpaceState } from "../state/space.js";
import { hostedView } from "../ui/hosted.js";

export default hostedView(
  (model) => new SpaceState(model),
  (state, el) => new SpaceFrame(state, el),
);
