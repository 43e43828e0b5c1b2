// What stands around lines over time: as around every recording, but what is read out is every line.

import { cellName } from "../../data/layer.js";
import { inLine } from "../../lib/tokens.js";
import { number } from "../../lib/wording.js";
import { Frame } from "../../ui/frame.js";
import { absence, titleOf, valueAt, written } from "./bands.js";
import { ExplainedPane } from "./explained_pane.js";
import { addsUp, byMethod } from "./ground.js";

/** @typedef {import("../../state/lines_only.js").LinesOnlyState} LinesOnlyState */

export class SeriesFrame extends Frame {
  /**
   * @param {LinesOnlyState} state
   * @param {HTMLElement} el where the host wants the widget
   * @param {import("../../ui/frame.js").PaneClass[]} others what stands below the lines
   */
  constructor(state, el, others) {
    super(state, el, "Series plot", [/** @type {any} */ (ExplainedPane), ...others]);
    // Heights tell values here, not colours.
    this.legend.root.hidden = true;
  }

  /** Every line has its own. @returns {undefined} */
  get colours() {
    return undefined;
  }

  get scales() {
    return ["layer", "cell"];
  }

  update() {
    super.update();
    // There is a menu of their names.
    if (/** @type {LinesOnlyState} */ (this.state).lines?.beside.labels)
      this.sliders.example.root.hidden = true;
  }

  get warning() {
    const state = /** @type {LinesOnlyState} */ (this.state);
    return super.warning || (state.lines ? absence(state, state.lines) : "");
  }

  get #pane() {
    return /** @type {ExplainedPane} */ (/** @type {unknown} */ (this.panes[0]));
  }

  /**
   * The relevance of a line, or of all channels, at a time; undefined where there is none.
   * @param {import("../../state/lines_only.js").Explanation} explanation
   * @param {number | undefined} channel
   * @param {number} example
   * @param {number} time
   */
  #relevanceAt(explanation, channel, example, time) {
    const { lines } = /** @type {LinesOnlyState} */ (this.state);
    const { relevance, row, method, largest } = explanation;
    const at = (lines?.axis("", example).before(time) ?? 0) - relevance.starts[row];
    if (!lines || at < 0 || at >= relevance.told.timesteps) return undefined;
    const of = { method, channel };
    const value = lines.value(relevance.key(of), row, at);
    if (value === undefined) return "…";
    if (Number.isNaN(value)) return undefined;
    const { unit } = relevance.told.methods[method];
    const band = this.#pane.ground.colours(explanation, this.theme);
    const cut = band.clipped(value, band.range(largest(of))) ? " (clipped)" : "";
    return `${number(value)}${unit ? ` ${inLine(unit)}` : ""}${cut}`;
  }

  /** What the colours are of, in words. @param {import("../../state/lines_only.js").Explanation} explanation @param {number} example */
  #explained(explanation, example) {
    const { lines } = /** @type {LinesOnlyState} */ (this.state);
    const { relevance, row, method } = explanation;
    const axis = lines?.axis("", example);
    const when = axis?.clock.say(axis.at(relevance.explained[row]));
    const doubt = relevance.doubtful(method, row)
      ? " (doubtful: does not add up to what is explained)"
      : "";
    return `${byMethod(explanation)} for ${inLine(relevance.told.explained)} at ${when}${doubt}`;
  }

  describe() {
    const state = /** @type {LinesOnlyState} */ (this.state);
    const { lines, layer, model } = state;
    if (!lines) return { text: `${layer.name} · ${model.get("signal")} is loading …` };
    if (layer.timesteps * layer.examples * layer.cells === 0)
      return { text: `${layer.name} · nothing recorded` };
    const { time, example, hovered } = /** @type {any} */ (this.panes[0]).read;
    const axis = lines.axis(layer.name, example);
    const parts = [...this.ofVariants, layer.name, cellName(layer, model.get("cell"))];
    const label = lines.label(example);
    if (layer.examples > 1)
      parts.push(`example ${example}${label === undefined ? "" : ` "${inLine(label)}"`}`);
    parts.push(axis.clock.say(time));
    const full = [];
    const explanation = state.explanation(example);
    // What is selected is told first.
    const selected = (/** @type {import("../../state/series.js").Subject} */ { kind, cell }) =>
      Number(kind === "cell" && cell === model.get("cell"));
    const subjects = [...state.subjects].sort((a, b) => selected(b) - selected(a));
    for (const subject of subjects) {
      const values = subject.keys.map((key) => valueAt(lines, key, example, time));
      const [one, other] = values.map(
        (value, i) => written(subject, subject.keys[i], value, layer.rounded) ?? "none",
      );
      const unit = subject.unit ? ` ${inLine(subject.unit)}` : "";
      const alone = subject.keys[0][0] === "target" ? `target ${one}` : one;
      const read =
        subject.kind === "track" ? `${one}, read as ${other}` : `${other} (target ${one})`;
      const both = other === undefined ? alone : read;
      const name = subject.kind === "cell" ? this.#cell(subject) : titleOf(state, subject);
      const relevance =
        explanation && subject.kind === "channel"
          ? this.#relevanceAt(explanation, subject.hue, example, time)
          : undefined;
      parts.push(
        `${name} ${both}${unit}${relevance === undefined ? "" : ` (relevance ${relevance})`}`,
      );
      const known = subject.kind !== "cell" || !layer.rounded;
      if (known) full.push(`${name} ${values.map((value) => value ?? "…").join(", target ")}`);
    }
    if (explanation) {
      const sum = addsUp(state)
        ? this.#relevanceAt(explanation, undefined, example, time)
        : undefined;
      if (sum !== undefined) parts.push(`relevance of all channels ${sum}`);
      parts.push(this.#explained(explanation, example));
    }
    const timestep = axis.before(time);
    if (axis.padding.some(([from, to]) => timestep >= from && timestep < to))
      parts.push(layer.windowed ? "no window ends here" : "padding");
    return { text: parts.join(" · "), full: full.join("\n"), hovered };
  }

  /** @param {import("../../state/series.js").Subject} subject */
  #cell({ cell }) {
    const { model, layer, difference } = this.state;
    const signal = model.get("signal") + (difference ? " difference" : "");
    return cell === model.get("cell") ? signal : `${cellName(layer, cell ?? 0)} ${signal}`;
  }
}
