// In an Explorer: which cells follow something of the tokens, in a CellFinder below.

import { tick } from "../../ui/controls.js";
import { InnerPane } from "../../ui/inner_pane.js";

export class FindingPane extends InnerPane {
  /** @param {import("../../ui/frame.js").Frame} frame */
  constructor(frame) {
    super(frame, {
      name: "CellFinder",
      shown: "finding",
      reference: "_finder",
      told: () => "",
      waiting:
        "Every cell is held against what can be said of the tokens: this takes the kernel a while …",
    });
    const { state } = frame;
    this.finding = tick(
      "find cells",
      (value) => state.set({ finding: value }, frame),
      "Rank all cells by what they follow in the text (quotes, line length, …), in a table below.",
    );
    this.tools = [this.finding.root];
  }

  paint() {
    const { model } = this.frame.state;
    this.finding.root.hidden = !model.get("_can_find");
    this.finding.update(model.get("finding"));
    super.paint();
  }
}
