// Below the pictures: the cells that mark the span that was chosen, and the other spans that they mark.

import { Line } from "../core/line.js";
import { cellName, cellNumber } from "../core/model.js";
import { written } from "../core/text_layout.js";
import { NONE } from "../core/tracks.js";
import { coloursOf } from "./bands.js";
import { button, element, freshId } from "./dom.js";

/** @typedef {import("./frame.js").Frame} Frame */
/** @typedef {{example: number, start: number, stop: number, overlap: number, shared: number, label: string | null, from: number, tokens: string[]}} Match */
/** @typedef {{cells: number[], signs: number[], threshold: number, matches: Match[]}} Found */

/** A concept track under the tokens of a match. */
const BAND = { height: 3, pitch: 4 };

export class MatchesPane {
  menus = /** @type {Node[]} */ ([]);
  tools = /** @type {Node[]} */ ([]);
  hovered = undefined;
  #asked = "";
  /** @type {Found | undefined} */
  #found;
  /** What the list was made of. */
  #key = /** @type {unknown[]} */ ([]);
  #active = 0;

  /** @param {Frame} frame */
  constructor(frame) {
    this.frame = frame;
    this.state = frame.state;
    this.line = new Line(
      this.state.model,
      (reply) => {
        if (!reply.error) this.#found = reply;
        this.#active = 0;
        frame.schedule();
      },
      () => frame.schedule(),
    );
    this.told = element("span", { "aria-live": "polite" });
    this.cells = element("span", { class: "lw-matches-cells" });
    this.list = element("div", {
      role: "listbox",
      tabindex: 0,
      "aria-label": "matches, the best first: up and down go through them, Enter goes there",
    });
    const clear = button("×", "let go of the span", () => this.state.set({ span: null }, frame));
    this.root = element("div", { class: "lw-matches", role: "group", "aria-label": "matches" }, [
      element("div", {}, [this.told, this.cells, clear]),
      this.list,
    ]);
    this.body = [this.root];
    this.list.addEventListener("keydown", (event) => this.#press(event));
    this.list.addEventListener("click", (event) => {
      const row = /** @type {Element} */ (event.target).closest("[role=option]");
      if (row) this.#go([...this.list.children].indexOf(row));
    });
  }

  destroy() {
    this.line.dispose();
  }

  resize() {}

  changed() {}

  paint() {
    const { model, layer, tracks } = this.state;
    const span = model.get("span");
    this.root.hidden = !span;
    if (!span) return;
    const [signal, threshold] = [model.get("signal"), model.get("threshold")];
    const wanted = {
      layer: layer.name,
      signal,
      span,
      example: model.get("_span_example"),
      threshold,
    };
    const key = JSON.stringify(wanted);
    if (key !== this.#asked && !this.line.busy) {
      this.#asked = key;
      this.line.ask(wanted);
    }
    // What stands here is of another span until its own has come.
    this.root.setAttribute("aria-busy", String(this.line.busy));
    const { notice } = this.line;
    const { theme } = this.frame;
    const shown = [this.#found, notice, theme, layer, ...tracks];
    if (shown.length === this.#key.length && shown.every((part, i) => part === this.#key[i]))
      return;
    this.#key = shown;
    const found = notice ? undefined : this.#found;
    this.told.textContent = notice || (found ? this.#tell(found) : "…");
    this.cells.replaceChildren(
      ...(found?.cells ?? []).map((cell, i) => this.#cell(cell, found?.signs[i] ?? 1)),
    );
    this.list.replaceChildren(
      ...(found?.matches ?? []).map((match) => this.#row(match, found?.cells.length ?? 0)),
    );
    this.list.hidden = !found?.matches.length;
    this.#mark();
  }

  /** @param {Found} found */
  #tell({ cells, threshold, matches }) {
    const on = `|value| ≥ ${threshold} all through the span, and not just outside:`;
    if (cells.length === 0) return `${on} no cell. Another threshold may tell some.`;
    const others = matches.length === 1 ? "1 other span" : `${matches.length || "no"} other spans`;
    return `${others} by the cells with ${on}`;
  }

  /**
   * @param {number} cell
   * @param {number} sign
   */
  #cell(cell, sign) {
    const { layer } = this.state;
    const name = `${cellName(layer, cell)}, ${sign > 0 ? "above" : "below"} zero`;
    return button(`${sign > 0 ? "+" : "−"} ${cellNumber(layer, cell)}`, name, () =>
      this.state.set({ cell }, this.frame),
    );
  }

  /**
   * @param {Match} match
   * @param {number} cells
   */
  #row({ example, start, stop, overlap, shared, label, from, tokens }, cells) {
    const { layer, tracks } = this.state;
    const where = `t=${start}${stop - start > 1 ? ` to ${stop - 1}` : ""}`;
    const name = label === null ? "" : ` ${label}`;
    return element("div", { role: "option", id: freshId() }, [
      element("b", {}, [overlap.toFixed(2)]),
      element("span", {}, [`${shared} of ${cells}`]),
      element("span", {}, [layer.examples > 1 ? `example ${example}${name}, ${where}` : where]),
      element(
        "bdo",
        { dir: "ltr" },
        tokens.map((token, i) => {
          const at = from + i;
          const made = element("span", { class: at >= start && at < stop && "lw-in" }, [
            written(token, true),
          ]);
          const { style } = made;
          style.paddingBottom = `${tracks.length * BAND.pitch}px`;
          style.background = tracks
            .flatMap((track, row) => {
              const column = example * layer.timesteps + at;
              const code = this.frame.source
                ? track.highest(this.frame.source, column, column + 1)
                : NONE;
              const y = (tracks.length - 1 - row) * BAND.pitch;
              const colour = coloursOf(track, this.frame.theme)[code];
              return colour
                ? `linear-gradient(${colour} 0 0) 0 calc(100% - ${y}px) / 100% ${BAND.height}px no-repeat`
                : [];
            })
            .join();
          return made;
        }),
      ),
    ]);
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
    this.state.select(match.example * this.state.layer.timesteps + match.start, this.frame);
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    const last = this.list.children.length - 1;
    const to = { ArrowUp: this.#active - 1, ArrowDown: this.#active + 1, Home: 0, End: last }[
      event.key
    ];
    if (to === undefined && event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    if (to === undefined) this.#go(this.#active);
    else {
      this.#active = Math.max(0, Math.min(last, to));
      this.#mark();
      this.list.children[this.#active].scrollIntoView({ block: "nearest" });
    }
  }
}
