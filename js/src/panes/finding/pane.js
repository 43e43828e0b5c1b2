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
      waiting: "Comparing every cell with the concepts: this takes a while …",
    });
    const { state } = frame;
    this.finding = tick(
      "find cells",
      (value) => state.set({ finding: value }, frame),
      "Rank all cells by the concepts that they follow in the text (quotes, line length, …), in a table below.",
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
