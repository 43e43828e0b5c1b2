// What stands around the bands of a cell: its name, what they mean, and the numbers of a timestep.

import { shownToken } from "../../data/align.js";
import {
  changeAt,
  explain,
  missingWords,
  readsBackwards,
  ruleOf,
  symbolOf,
} from "../../data/changes.js";
import { cellName } from "../../data/layer.js";
import { div, element } from "../../lib/dom.js";
import { Memo } from "../../lib/memo.js";
import { inLine, quoted } from "../../lib/tokens.js";
import { number, words } from "../../lib/wording.js";

/** @typedef {import("../../data/source.js").AnySource} AnySource */
/** @typedef {import("../../data/changes.js").Signals} Signals */

export class Readout {
  #named = new Memo();
  #read = new Memo();

  /** @param {import("../../state/recording.js").RecordingState} state */
  constructor(state) {
    this.state = state;
    this.title = element("span");
    this.legend = div("lw-gates-legend");
    this.values = div("lw-gates-values");
    this.sum = div("lw-gates-sum");
    this.note = div("lw-gates-note");
    // The status line speaks of the value; here it is the sum that is spoken.
    this.why = element("div", { "aria-live": "polite" }, [this.sum, this.note]);
    this.root = div("lw-gates-read", [this.values, this.why]);
  }

  /** What the cell is, and how its change is written. @param {AnySource} source @param {number} cell */
  name(source, cell) {
    const who = cellName(source.layer, cell);
    const rule = ruleOf(source.layer);
    const way = readsBackwards(source.layer, cell) ? ", read from right to left" : "";
    const why = source.less
      ? `: its signals, less those of ${inLine(source.less)}`
      : `: its signals, and why its ${words(rule.state)} changed`;
    const title = `${why}${way}`;
    if (this.title.textContent !== `${who}${title}`) {
      this.title.replaceChildren(element("b", {}, [who]), title);
    }
    const { symbol: s, gate } = rule;
    const written = source.layer.kind === "GRU" ? "(1 − z)·h̃" : "i·g";
    const kept = gate === "update_gate" ? "z" : "f";
    const missing = missingWords(source.layer);
    const changes = gate
      ? [
          ["keep", `forget (${kept} − 1)·${s}₋₁`],
          ["write", `write ${written}`],
          ["sum", `sum Δ${s}`],
        ]
      : [["write", `Δ${s} = ${s} − ${s}₋₁`]];
    const parts = source.less ? [] : changes;
    if (!this.#named.changed([JSON.stringify([parts, missing])])) return;
    this.legend.replaceChildren(
      ...parts.map(([name, text]) =>
        element("span", {}, [element("i", { class: `lw-gates-${name}` }), text]),
      ),
      ...(missing ? [element("span", { class: "lw-gates-note" }, [missing])] : []),
    );
  }

  /**
   * The numbers of a timestep.
   * @param {AnySource} source
   * @param {Signals} signals
   * @param {number | undefined} pointed the column under the pointer; else it is the selected one
   */
  read(source, signals, pointed) {
    const { layer } = source;
    const { model, column: selected } = this.state;
    const column = pointed ?? selected;
    const token = shownToken(source, column, model.get("align"));
    const values = layer.signals.map((signal) => signals.at(signal, column));
    const happened = changeAt(signals, column);
    const none = { sum: "", note: "What made the state change isn't told by differences." };
    const { sum, note } = source.less
      ? none
      : happened
        ? explain(signals, column, happened)
        : { sum: "…", note: "" };
    const of = [layer.name, model.get("cell"), source.when(column), token, values, sum, note];
    if (!this.#read.changed([JSON.stringify(of)])) return;
    this.root.classList.toggle("lw-hovered", pointed !== undefined);
    // What is under a moving pointer is not spoken.
    this.why.setAttribute("aria-live", pointed === undefined ? "polite" : "off");
    const at = `${source.when(column)}${token === undefined ? "" : ` ${quoted(token)}`}`;
    this.values.replaceChildren(
      element("b", {}, [at]),
      ...layer.signals.map((signal, i) => {
        const value = values[i];
        const text = value === undefined ? "…" : `${layer.rounded ? "≈ " : ""}${number(value)}`;
        const symbol = symbolOf(signal, layer.kind);
        const full = value === undefined || layer.rounded ? "" : String(value);
        return element("span", { title: full }, [
          `${words(signal)} `,
          ...(symbol ? [element("i", {}, [symbol]), " "] : []),
          element("b", {}, [text]),
        ]);
      }),
    );
    this.sum.textContent = sum;
    this.note.textContent = note;
  }
}
