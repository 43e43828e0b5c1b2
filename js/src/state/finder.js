// A ranking and its evidence over a recording, or over variants: which row is selected in which of them.

import { EvidenceStore } from "../data/evidence.js";
import { Ranking } from "../data/ranking.js";
import { SeriesState } from "./series.js";

export class FinderState extends SeriesState {
  /** @param {import("../host/model.js").Model} model */
  constructor(model) {
    super(model);
    this.ranking = new Ranking(model);
    this.evidence = new EvidenceStore(model, () => this.announce("arrival"));
  }

  dispose() {
    super.dispose();
    this.evidence.dispose();
  }

  /**
   * The selected row; of variants, in the one that is shown that about the same, as the kernel will say, too.
   * -1 if there is none, or it isn't here.
   * @returns {number}
   */
  get row() {
    const { ranking, variant } = this;
    const row = this.model.get("row");
    if (!ranking.here(row)) return -1;
    return ranking.variant(row) === variant ? row : ranking.find(ranking.claim(row), variant);
  }

  /** Variants don't go by before the evidence is here. */
  get waiting() {
    const { evidence, row } = this;
    const missing = row >= 0 && !evidence.saved && !evidence.known(row, this.difference);
    return super.waiting || (missing && !evidence.notice);
  }
}
