// The evidence for one row of a ranking: numbers, distributions, and the cell over some passages.

import { css, ink } from "../../colour/palettes.js";
import { counted } from "../../data/evidence.js";
import { Spelling } from "../../data/spelling.js";
import { element } from "../../lib/dom.js";
import { Memo } from "../../lib/memo.js";
import { visible } from "../../lib/tokens.js";
import { many, number, shortRange, words } from "../../lib/wording.js";
import { smallButton } from "../../ui/controls.js";
import { chart, scatterChart } from "./charts.js";
import { digits, independent } from "./numbers.js";

/** @typedef {import("../../data/evidence.js").Evidence} Evidence */
/** @typedef {import("../../data/evidence.js").Stretch} Stretch */
/** @typedef {import("../../data/ranking.js").Ranking} Ranking */
/** @typedef {import("../../colour/colours.js").Colours} Colours */
/** Where differences are shown: of which variant, less which. @typedef {{variant: string, less: string}} Less */

/** Bins of scores, from −1 to 1. */
const BINS = 80;

/** @param {number} lag */
function later(lag) {
  if (lag === 0) return "";
  const steps = many(Math.abs(lag), "timestep");
  return lag > 0 ? `, ${steps} later` : `, ${steps} before`;
}

/** The ends of an axis and its middle. @param {number} low @param {number} high */
function threeOf(low, high) {
  const [first, last] = shortRange(low, high);
  return [first, shortRange(low, (low + high) / 2)[1], last];
}

export class EvidenceCard {
  #shown = new Memo();
  #held = new Memo();
  /** Which row is named, and how. */
  #named = new Memo();
  #row = -1;
  /** @type {Less | undefined} */
  #less;
  /** Which timestep a token is. @type {WeakMap<Element, {example: number, timestep: number}>} */
  #places = new WeakMap();
  /** What is under the pointer. @type {{example: number, timestep: number} | undefined} */
  hovered;

  /**
   * @param {Ranking} ranking
   * @param {{go: (place: {example: number, timestep: number}) => void, set: (threshold: number) => void,
   *   ablate: () => void, change: () => void}} calls to show a place, to put a threshold into the slider,
   *   to run the model without the cell, to be painted
   */
  constructor(ranking, calls) {
    this.ranking = ranking;
    this.calls = calls;
    this.head = element("div", { class: "lw-card-head" });
    this.facts = element("div", { class: "lw-facts" });
    this.charts = element("div", { class: "lw-charts" });
    this.list = element("div", { class: "lw-passages", role: "group", "aria-label": "passages" });
    this.told = element("div", { class: "lw-told" });
    this.held = element("div", { class: "lw-facts lw-held", role: "status" });
    this.root = element("section", { class: "lw-card", "aria-label": "evidence" }, [
      this.head,
      this.facts,
      this.charts,
      this.list,
      this.told,
      this.held,
    ]);
    const point = (/** @type {PointerEvent | undefined} */ event) => {
      const at = event?.target instanceof Element ? event.target : undefined;
      const place = at && this.#places.get(at);
      if (place === this.hovered) return;
      this.hovered = place;
      calls.change();
    };
    this.list.addEventListener("pointermove", point);
    this.list.addEventListener("pointerleave", () => point(undefined));
  }

  /**
   * @param {number} row -1 for none
   * @param {Evidence | undefined} evidence as far as it is here
   * @param {string} missing why it is not
   * @param {Colours | undefined} colours of its signal
   * @param {string} cell what its cell is called
   * @param {Less} [less] where differences are shown
   */
  update(row, evidence, missing, colours, cell, less) {
    const { variant, less: other } = less ?? {};
    if (!this.#shown.changed([row, evidence, missing, colours, cell, variant, other])) return;
    [this.#row, this.#less] = [row, less];
    this.root.hidden = row < 0;
    if (row < 0) return;
    if (this.#named.changed([row, cell, other])) this.#name(row, cell);
    this.root.setAttribute("aria-busy", String(!evidence));
    this.hovered = undefined;
    this.charts.replaceChildren(...(evidence ? this.#charts(row, evidence) : []));
    this.list.replaceChildren(...(evidence ? this.#passages(row, evidence, colours) : []));
    this.told.textContent = evidence ? this.#caption(row, evidence) : missing;
  }

  /** What the row says. @param {number} row @param {string} cell */
  #name(row, cell) {
    const { ranking } = this;
    const get = (/** @type {string} */ name) => ranking.number(name, row);
    const concept = visible(ranking.text("concept", row));
    const numeric = ranking.numeric(row);
    this.head.replaceChildren(
      element("b", {}, [cell]),
      ` of ${visible(ranking.text("layer", row))}, ${words(ranking.text("signal", row))} — `,
      element("b", {}, [concept]),
      later(get("lag")),
    );
    const threshold = ranking.threshold(row);
    const held = "on the held-out half";
    const facts = [
      numeric
        ? ["Spearman's ρ", number(get("score")), held]
        : ["score", number(get("score")), `2·AUROC − 1 ${held}`],
      ...this.#change(row),
      ["p", digits(get("p_value")), "how often a circularly shifted concept scores as high"],
      ["q", digits(get("q_value")), "the false discovery rate among the rows up to this one"],
      [
        "independent",
        independent(get("effective_n")),
        "effective sample size of the held-out half, from the variance of shifted scores",
      ],
      ["where selected", number(get("selection_score")), "the score on the other half"],
      ...(numeric
        ? [["Pearson's r", number(get("pearson")), held]]
        : [
            ["AUROC", number(get("auroc")), held],
            ["F1", number(get("f1")), `with the threshold, ${held}`],
            ["base rate", number(get("base_rate")), "how often the concept holds"],
          ]),
    ];
    this.facts.replaceChildren(
      ...facts.map(([name, value, told]) =>
        element("div", { title: told }, [
          element("small", {}, [name]),
          element("span", {}, [value]),
        ]),
      ),
    );
    const reason = ranking.reason(row);
    if (reason) {
      this.facts.append(
        element("div", { class: "lw-rule" }, [
          element("small", {}, ["too little to judge"]),
          element("span", {}, [reason]),
        ]),
      );
    }
    if (numeric || Number.isNaN(get("threshold"))) return;
    const rule = `${get("sign") > 0 ? "≥" : "≤"} ${number(get("threshold"))}`;
    const parts = [element("small", {}, ["on where the value is"]), element("span", {}, [rule])];
    if (threshold === undefined) {
      parts.push(element("em", {}, ["not what the slider asks: |value| ≥"]));
    } else {
      parts.push(
        smallButton("use", "set the threshold slider to it", () => this.calls.set(threshold)),
      );
    }
    this.facts.append(element("div", { class: "lw-rule" }, parts));
  }

  /** By how much the score differs from that of the variant that is subtracted. @param {number} row */
  #change(row) {
    if (!this.#less) return [];
    const { less } = this.#less;
    const change = this.ranking.score(row, less);
    const shown = Number.isNaN(change) ? "–" : `${change > 0 ? "+" : ""}${number(change)}`;
    return [[`Δ to ${less}`, shown, `the score less that in ${less}`]];
  }

  /**
   * @param {number} row
   * @param {Evidence} evidence
   */
  #charts(row, { histogram, scatter, null: scores }) {
    const { ranking } = this;
    const made = [];
    if (histogram) {
      const { low, high, inside, outside } = histogram;
      const [yes, no] = [inside, outside].map((counts) => counts.reduce((a, b) => a + b, 0));
      const concept = visible(ranking.text("concept", row));
      const threshold = ranking.number("threshold", row);
      const drawn = chart({
        name: `Values of the cell from ${number(low)} to ${number(high)}: ${yes} with ${concept}, ${no} without`,
        title: this.#less ? "distribution of differences" : "distribution of values",
        series: [
          ["lw-without", outside],
          ["lw-with", inside],
        ],
        range: [low, high],
        ticks: threeOf(low, high),
        marks: Number.isNaN(threshold) || this.#less ? [] : [["lw-limit", threshold, "threshold"]],
      });
      drawn.append(
        element("div", { class: "lw-key" }, [
          element("span", { class: "lw-with" }, [`with: ${yes}`]),
          element("span", { class: "lw-without" }, [`without: ${no}`]),
        ]),
      );
      made.push(drawn);
    }
    if (scatter) made.push(this.#scatter(row, scatter));
    if (scores) {
      const score = ranking.number("score", row);
      const drawn = chart({
        name: `Scores of ${scores.length} shifted concepts; the score is ${digits(score)}`,
        title: "score under the null",
        series: [["lw-null", counted(scores, BINS)]],
        range: [-1, 1],
        ticks: ["−1", "0", "1"],
        marks: Number.isNaN(score) ? [] : [["lw-found", score, digits(score)]],
      });
      drawn.append(
        element("div", { class: "lw-key" }, [
          element("span", { class: "lw-null" }, [`${scores.length} random circular shifts`]),
        ]),
      );
      made.push(drawn);
    }
    return made;
  }

  /**
   * @param {number} row
   * @param {import("../../data/evidence.js").Scatter} scatter
   */
  #scatter(row, scatter) {
    const concept = visible(this.ranking.text("concept", row));
    const count = scatter.counts.flat().reduce((sum, each) => sum + each, 0);
    const [low, high] = scatter.values;
    const [least, most] = scatter.said;
    const drawn = scatterChart({
      name: `Values of the cell from ${number(low)} to ${number(high)} over ${concept} from ${number(least)} to ${number(most)}, at ${count} timesteps`,
      title: `${this.#less ? "difference" : "value"} of the cell over ${concept}${later(this.ranking.number("lag", row))}`,
      points: scatter,
      across: threeOf(least, most),
      up: shortRange(low, high).reverse(),
    });
    drawn.append(
      element("div", { class: "lw-key" }, [
        element("span", { class: "lw-with" }, [
          `${count} timesteps, the stronger the colour the more`,
        ]),
        element("span", { class: "lw-mean" }, ["mean"]),
      ]),
    );
    return drawn;
  }

  /**
   * @param {number} row
   * @param {Evidence} evidence
   * @param {Colours | undefined} colours
   */
  #passages(row, { passages, histogram }, colours) {
    const cell = this.ranking.number("cell", row);
    // What a number is worth, from the least that is said in any passage to the most.
    const all = passages
      .flatMap(({ said }) => [...(said ?? [])])
      .filter((value) => !Number.isNaN(value));
    const [least, most] = this.ranking.numeric(row)
      ? [Math.min(...all), Math.max(...all)]
      : [0, histogram ? 1 : 0];
    const share = (/** @type {number} */ value) =>
      most > least ? (value - least) / (most - least) : 0;
    return passages.map((passage) => this.#passage(passage, cell, colours, share));
  }

  /**
   * @param {Stretch} passage
   * @param {number} cell
   * @param {Colours | undefined} colours
   * @param {(said: number) => number} share
   */
  #passage(passage, cell, colours, share) {
    const { kind, example, start, peak, when, values, said, tokens, spelling, label } = passage;
    const pieces = new Spelling(spelling).pieces(tokens ?? [...values].map(() => " "));
    const made = [...values].map((value, i) => {
      const { before, text } = pieces[i];
      const shown = element("span", {}, [before, text === " " ? " " : visible(text)]);
      if (colours) {
        const colour = colours.pixel(value, cell);
        shown.style.background = css(colour);
        shown.style.color = css(ink(colour));
        if (Number.isNaN(value)) shown.className = "lw-nan";
      }
      const part = said && !Number.isNaN(said[i]) ? share(said[i]) : 0;
      if (part > 0) shown.style.setProperty("--lw-said", `${Math.round(100 * part)}%`);
      this.#places.set(shown, { example, timestep: start + i });
      return shown;
    });
    const at = peak - start;
    made[at].classList.add("lw-peak");
    const where = `${label === null ? `example ${example}` : visible(label)}, ${when ?? `t=${peak}`}`;
    const value = number(values[at]);
    const text = tokens ? pieces.map(({ before, text }) => before + text).join("") : "";
    const line = element(
      "button",
      { type: "button", "aria-label": `${kind}: ${value} at ${where}: ${text}`, title: where },
      [
        element("span", { class: "lw-kind" }, [kind]),
        element("span", { class: "lw-value" }, [value]),
        ...(when === null ? [] : [element("span", { class: "lw-when" }, [when])]),
        element("span", { class: "lw-before" }, made.slice(0, at)),
        made[at],
        element("span", { class: "lw-after" }, made.slice(at + 1)),
      ],
    );
    line.addEventListener("click", (event) => {
      const token = event.target instanceof Element ? this.#places.get(event.target) : undefined;
      this.calls.go(token ?? { example, timestep: peak });
    });
    return line;
  }

  /**
   * What the model does without the cell.
   * @param {Record<string, number> | undefined} found
   * @param {boolean} possible whether it can be run
   * @param {string} told what to say meanwhile
   */
  ablation(found, possible, told) {
    if (!this.#held.changed([JSON.stringify([this.#row, found, possible, told])])) return;
    /** @type {(Node | string)[]} */
    let parts = ["Pass model= and inputs= to see what the model does without this cell."];
    if (found) {
      const change = (/** @type {number} */ by) => `${by > 0 ? "+" : ""}${number(by)}`;
      const facts = [
        ["loss", number(found.loss), "of the model as it is"],
        [
          "held at 0",
          `${number(found.held)} (${change(found.held - found.loss)})`,
          "its loss with this cell held",
        ],
        ["where the concept holds", found.there, "change of the loss there"],
        ["elsewhere", found.elsewhere, "change of the loss elsewhere"],
      ].filter(([, value]) => value !== undefined);
      parts = facts.map(([name, value, title]) =>
        element("div", { title: /** @type {string} */ (title) }, [
          element("small", {}, [/** @type {string} */ (name)]),
          element("span", {}, [
            typeof value === "number" ? change(value) : /** @type {string} */ (value),
          ]),
        ]),
      );
      if (found.guesses !== undefined) {
        parts.push(
          element("div", {}, [
            element("small", {}, ["top-1 predictions changed"]),
            element("span", {}, [`${(100 * found.guesses).toFixed(1)} %`]),
          ]),
        );
      }
    } else if (told) parts = [told];
    else if (possible) {
      const name = "hold this cell at 0 and run the model";
      parts = [
        smallButton("hold at 0", name, () => this.calls.ablate()),
        "and see what the model does without it",
      ];
    }
    this.held.replaceChildren(...parts);
  }

  /**
   * How to read it, and what is not there.
   * @param {number} row
   * @param {Evidence} evidence
   */
  #caption(row, { passages, histogram, scatter, null: scores }) {
    const lag = later(this.ranking.number("lag", row)).slice(2);
    const parts = this.ranking.windows.map((told) => `${told[0].toUpperCase()}${told.slice(1)}.`);
    if (this.#less) {
      const { variant, less } = this.#less;
      parts.push(
        `Passages and their distribution are of ${variant} less ${less}; scores are of ${variant}.`,
      );
    }
    if (passages.length > 0)
      parts.push("Samples come from equally frequent ranges of values; a click goes there.");
    const moved = lag ? ` (${lag})` : "";
    if (histogram) parts.push(`Underlined: where the concept holds${moved}.`);
    else if (scatter) parts.push(`Underlined: how much the concept says${moved}.`);
    else parts.push("The concept's values aren't known here: pass CellFinder the concepts, too.");
    const drawn = histogram ?? scatter;
    if (drawn && drawn.infinite > 0) parts.push(`${drawn.infinite} infinite values are left out.`);
    if (drawn && !scores)
      parts.push("The null distribution isn't known: the table has lost its attrs.");
    return parts.join(" ");
  }
}
