// Below the pictures: the cells that mark the span that was chosen, and the other spans that they mark.

import { coloursOf } from "../../colour/tracks.js";
import { cellName, cellNumber } from "../../data/layer.js";
import { NONE } from "../../data/tracks.js";
import { Calls } from "../../host/calls.js";
import { clamp } from "../../lib/clamp.js";
import { csv } from "../../lib/csv.js";
import { div, element, freshId, listen } from "../../lib/dom.js";
import { press } from "../../lib/keyboard.js";
import { Memo } from "../../lib/memo.js";
import { written } from "../../lib/tokens.js";
import { csvButton, smallButton } from "../../ui/controls.js";

/** @typedef {import("../../ui/frame.js").Frame} Frame */
/**
 * What Python tells of a match: where it is and how much the cells agree, the tokens around it, and when it
 * begins and when its last timestep is.
 * @typedef {{words: string[], overlap: number, shared: number, column: number, length: number,
 *   from: number, tokens: string[], times: (string | number | null)[] | null}} Match
 */
/** @typedef {{told: string, count: string, cells: number[], signs: number[], matches: Match[]}} Found */

/** From a concept track under the tokens of a match to the next. */
const BAND = 4;

/** @type {import("../../ui/keys.js").Key[]} */
const KEYS = [
  ["↑ ↓", "the match before, after"],
  ["Enter", "goes there"],
];

export class MatchesPane {
  called = "matches of a chosen span";
  keys = KEYS;
  menus = /** @type {Node[]} */ ([]);
  tools = /** @type {Node[]} */ ([]);
  hovered = undefined;
  #asked = "";
  /** @type {Found | undefined} */
  #found;
  /** What the list was made of. */
  #listed = new Memo();
  #active = 0;

  /** @param {Frame} frame */
  constructor(frame) {
    this.frame = frame;
    this.state = frame.state;
    this.calls = new Calls(
      this.state.model,
      (reply) => {
        this.#found = reply;
        this.#active = 0;
      },
      () => frame.schedule(),
      0,
    );
    this.told = element("span", { "aria-live": "polite" });
    this.cells = element("span", { class: "lw-matches-cells" });
    this.count = element("span", { class: "lw-matches-count" });
    this.list = element("div", {
      role: "listbox",
      tabindex: 0,
      "aria-label": "matches, the best first; Enter goes there",
    });
    const clear = smallButton("×", "clear the span", () => this.state.set({ span: null }, frame));
    this.csv = csvButton("the matches", () => ({ name: "matches", text: this.#csv() }));
    this.root = div("lw-matches", [
      element("div", {}, [this.told, this.cells, this.count, this.csv, clear]),
      this.list,
    ]);
    this.body = [this.root];
    listen(this.list, "keydown", (event) => this.#press(event));
    listen(this.list, "click", (event) => {
      const row = /** @type {Element} */ (event.target).closest("[role=option]");
      if (row) this.#go([...this.list.children].indexOf(row));
    });
  }

  destroy() {
    this.calls.dispose();
  }

  resize() {}

  changed() {}

  paint() {
    const { model, layer, tracks } = this.state;
    const span = model.get("span");
    this.root.hidden = !span;
    if (!span) return;
    /** @type {Record<string, unknown>} */
    const wanted = { span, example: model.get("_span_example") };
    for (const name of ["layer", "signal", "threshold"]) wanted[name] = model.get(name);
    const { variant, difference, variants } = this.state;
    if (variants.length > 0) Object.assign(wanted, { variant, difference });
    const key = JSON.stringify(wanted);
    if (key !== this.#asked && this.calls.ask(wanted)) this.#asked = key;
    const { notice } = this.calls;
    const { theme } = this.frame;
    const shown = [this.#found, notice, theme, layer, ...tracks];
    if (!this.#listed.changed(shown)) return;
    const none = {
      told: notice ? `Matches of the span: ${notice}` : "…",
      count: "",
      cells: [],
      signs: [],
      matches: [],
    };
    const { told, count, cells, signs, matches } = (!notice && this.#found) || none;
    this.told.textContent = told;
    this.count.textContent = count;
    this.cells.replaceChildren(...cells.map((cell, i) => this.#cell(cell, signs[i])));
    this.list.replaceChildren(...matches.map((match) => this.#row(match)));
    this.list.hidden = this.csv.hidden = matches.length === 0;
    this.#mark();
  }

  /**
   * @param {number} cell
   * @param {number} sign
   */
  #cell(cell, sign) {
    const { layer } = this.state;
    const name = `${cellName(layer, cell)}, ${sign > 0 ? "above" : "below"} zero`;
    return smallButton(`${sign > 0 ? "+" : "−"} ${cellNumber(layer, cell)}`, name, () =>
      this.state.set({ cell }, this.frame),
    );
  }

  /** @param {Match} match */
  #row({ words, column, length, from, tokens }) {
    const pieces = this.frame.source?.spelling.pieces(tokens) ?? [];
    const text = pieces.flatMap(({ before, text }, i) => {
      const at = from + i;
      const made = element("span", { class: at >= column && at < column + length && "lw-in" }, [
        written(text, true),
      ]);
      made.style.background = this.#bands(at);
      made.style.paddingBottom = `${this.state.tracks.length * BAND}px`;
      return [before, made];
    });
    return element("div", { role: "option", id: freshId() }, [
      ...words.map((part) => element("span", {}, [part])),
      element("bdi", { dir: "auto" }, text),
    ]);
  }

  /** The concept tracks of a token, one above the other. @param {number} column */
  #bands(column) {
    const { source, theme } = this.frame;
    const { tracks } = this.state;
    const bands = tracks.map((track, row) => {
      const code = source ? track.top(source, column, column + 1) : NONE;
      const colour = coloursOf(track, theme)[code] ?? "transparent";
      const y = (tracks.length - 1 - row) * BAND;
      return `linear-gradient(${colour} 0 0) 0 calc(100% - ${y}px) / 100% ${BAND - 1}px no-repeat`;
    });
    return bands.join();
  }

  #csv() {
    const { timesteps } = this.state.layer;
    const matches = this.#found?.matches ?? [];
    const [dated, worded] = [matches[0]?.times, matches.some(({ tokens }) => tokens.length > 0)];
    const names = [
      ...["example", "start", "stop"],
      ...(dated ? ["first_time", "last_time"] : []),
      ...["overlap", "shared_cells"],
      ...(worded ? ["tokens"] : []),
    ];
    const rows = matches.map(({ column, length, from, tokens, overlap, shared, times }) => {
      const [example, start] = [Math.floor(column / timesteps), column % timesteps];
      const text = tokens.slice(column - from, column - from + length).join(" ");
      return [
        ...[example, start, start + length],
        ...(dated ? (times ?? []).map((time) => time ?? undefined) : []),
        ...[overlap, shared],
        ...(worded ? [text] : []),
      ];
    });
    return csv(names, rows);
  }

  /** Show which match the keys have come to. */
  #mark() {
    const rows = [...this.list.children];
    rows.forEach((row, i) => {
      row.setAttribute("aria-selected", String(i === this.#active));
    });
    this.list.setAttribute("aria-activedescendant", rows[this.#active]?.id ?? "");
  }

  /** @param {number} index */
  #go(index) {
    const match = this.#found?.matches[index];
    if (!match) return;
    this.#active = index;
    this.#mark();
    this.state.select(match.column, this.frame);
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    const last = this.list.children.length - 1;
    const to = (/** @type {number} */ index) => () => {
      this.#active = clamp(index, 0, last);
      this.#mark();
      this.list.children[this.#active]?.scrollIntoView({ block: "nearest" });
    };
    const go = () => this.#go(this.#active);
    press(event, {
      ArrowUp: to(this.#active - 1),
      ArrowDown: to(this.#active + 1),
      Home: to(0),
      End: to(last),
      Enter: go,
      " ": go,
    });
  }
}
