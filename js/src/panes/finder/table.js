// A ranking as a table: rows are made as they come into view, so that thousands are as quick as ten.

import { clamp } from "../../lib/clamp.js";
import { element, freshId } from "../../lib/dom.js";
import { Memo } from "../../lib/memo.js";
import { inLine, visible } from "../../lib/tokens.js";
import { csvButton, menu } from "../../ui/controls.js";
import { digits, independent, signed } from "./numbers.js";

/** @typedef {import("../../data/ranking.js").Ranking} Ranking */

/** Height of a row, as in finder_pane.css. */
const ROW = 24;
/** Columns: what they are called, what that means; how wide, or as wide as the longest name. */
const COLUMNS = /** @type {[name: string, title: string, told: string, width: string][]} */ ([
  ["layer", "layer", "the layer", ""],
  ["signal", "signal", "the signal", ""],
  ["cell", "cell", "the cell", "32px"],
  ["concept", "concept", "what the cell is compared with", "minmax(0, 1.8fr)"],
  ["lag", "lag", "by how many timesteps the cell lags behind the concept", "26px"],
  [
    "score",
    "score",
    "on the held-out half: 2·AUROC − 1 of yes or no, Spearman's ρ of a number; sorted by size",
    "minmax(74px, 1fr)",
  ],
  [
    "effective_n",
    "n",
    "effective sample size: neighbouring timesteps, and overlapping windows, are correlated",
    "46px",
  ],
  [
    "q_value",
    "q",
    "the false discovery rate among the rows up to this one; or why there is none",
    "minmax(40px, 0.9fr)",
  ],
]);
const FALLING = new Set(["score", "effective_n"]);
const NUMBERS = new Set(["cell", "lag", "q_value"]);

export class FinderTable {
  /** @type {Int32Array} */
  #rows = new Int32Array(0);
  /** Where the keys are, among the rows. */
  #at = 0;
  #sort = "";
  #falling = true;
  #stale = true;
  #height = 0;
  #drawn = new Memo();
  #filter = {
    find: "",
    layer: "",
    signal: "",
    concept: "",
    below: /** @type {number=} */ (undefined),
  };
  /** @type {import("../../data/ranking.js").Seen} */
  #seen = { variant: "", less: "" };

  /**
   * @param {Ranking} ranking
   * @param {{choose: (row: number) => void, change: () => void}} calls to choose a row, to be painted
   */
  constructor(ranking, calls) {
    this.ranking = ranking;
    this.calls = calls;
    this.id = freshId();
    const several = (/** @type {string} */ name) => ranking.names[name]?.length !== 1;
    const counted = ranking.has("effective_n");
    this.columns = COLUMNS.filter(
      ([name]) =>
        (!["layer", "signal"].includes(name) || several(name)) &&
        (name !== "effective_n" || counted),
    );
    this.find = element("input", {
      type: "search",
      placeholder: "find",
      "aria-label": "find rows",
      title: "words in the names of layer, signal or concept, or in a reason, or a cell's number",
      "aria-description":
        "Show only the rows with these words in the names of layer, signal or concept, or in a reason, or with this cell.",
      "data-control": "find",
    });
    this.below = element("input", {
      type: "number",
      min: 0,
      max: 1,
      step: 0.01,
      "data-control": "q below",
      title: "Show only the rows whose q is no larger.",
      "aria-description": "Show only the rows whose q is no larger.",
    });
    this.menus = ["layer", "signal", "concept"].filter(several).map((name) => {
      const made = menu(
        name,
        (value) => this.#narrow({ [name]: value }),
        `Show only the rows of this ${name}.`,
      );
      const options = [...ranking.names[name]].sort();
      made.update(
        [["", "all"], ...options.map((o) => /** @type {[string, string]} */ ([o, visible(o)]))],
        "",
      );
      return made.root;
    });
    this.count = element("span", { class: "lw-count", role: "status" });
    this.heads = this.columns.map(([name, title, told]) => this.#head(name, title, told));
    this.body = element("div", { class: "lw-table-rows", role: "rowgroup" });
    this.grid = element(
      "div",
      {
        class: "lw-table",
        role: "grid",
        tabindex: 0,
        "aria-label": "Ranking. Up and down go through the rows, Enter shows one.",
        "aria-colcount": this.columns.length,
      },
      [
        element("div", { role: "rowgroup" }, [
          element(
            "div",
            { class: "lw-heads", role: "row", "aria-rowindex": 1 },
            this.heads.map(({ root }) => root),
          ),
        ]),
        this.body,
      ],
    );
    const width = (/** @type {string} */ name) =>
      `minmax(0, ${Math.min(18, Math.max(...ranking.names[name].map((n) => n.length)))}ch)`;
    this.grid.style.setProperty(
      "--lw-columns",
      this.columns.map(([name, , , given]) => given || width(name)).join(" "),
    );
    this.root = element("div", { class: "lw-ranking" }, [
      element("div", { class: "lw-filters" }, [
        element("div", { class: "lw-menu lw-find" }, [element("label", {}, ["rows"]), this.find]),
        ...this.menus,
        element("label", { class: "lw-menu lw-below" }, [
          element("span", {}, ["q below"]),
          this.below,
        ]),
        this.count,
        csvButton("these rows", () => ({ name: "ranking", text: ranking.csv(this.#rows) })),
      ]),
      this.grid,
    ]);
    this.#listen();
  }

  #listen() {
    this.find.addEventListener("input", () => this.#narrow({ find: this.find.value }));
    this.below.addEventListener("input", () => {
      const { value, valueAsNumber } = this.below;
      this.#narrow({ below: value === "" ? undefined : valueAsNumber });
    });
    this.grid.addEventListener("scroll", () => this.calls.change());
    this.grid.addEventListener("keydown", (event) => this.#press(event));
    this.body.addEventListener("click", (event) => {
      const under = event.target instanceof Element ? event.target.closest("[data-at]") : null;
      if (!(under instanceof HTMLElement)) return;
      this.#at = Number(under.dataset.at);
      this.#choose();
    });
  }

  /**
   * @param {string} name
   * @param {string} title
   * @param {string} told
   */
  #head(name, title, told) {
    const sort = element(
      "button",
      { type: "button", title: `${told}; sorts by it`, "data-control": `sort ${title}` },
      [title],
    );
    const root = element(
      "div",
      { role: "columnheader", "aria-sort": "none", class: `lw-${name}` },
      [sort],
    );
    sort.addEventListener("click", () => {
      const first = FALLING.has(name);
      if (this.#sort !== name) [this.#sort, this.#falling] = [name, first];
      else if (this.#falling === first) this.#falling = !first;
      else this.#sort = "";
      this.#arrange();
    });
    return { name, root, sort, title, told };
  }

  /**
   * Show the rows of a variant, and scores less those of another: the order stays what it is by.
   * @param {import("../../data/ranking.js").Seen} seen
   */
  show(seen) {
    if (seen.variant === this.#seen.variant && seen.less === this.#seen.less) return;
    this.#seen = seen;
    this.#stale = true;
    const score = this.heads.find(({ name }) => name === "score");
    if (!score) return;
    const told = seen.less ? `the score less that in ${inLine(seen.less)}` : score.told;
    score.sort.title = `${told}; sorts by it`;
    score.sort.textContent = seen.less ? `Δ ${score.title}` : score.title;
  }

  /** @param {Partial<import("../../data/ranking.js").Filter>} filter */
  #narrow(filter) {
    Object.assign(this.#filter, filter);
    this.#arrange();
  }

  /** Other rows, or another order: from the top. */
  #arrange() {
    this.#stale = true;
    this.#at = 0;
    this.grid.scrollTop = 0;
    this.calls.change();
  }

  #choose() {
    const row = this.#rows[this.#at];
    if (row !== undefined) this.calls.choose(row);
    this.calls.change();
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    if (event.target !== this.grid || event.altKey || event.ctrlKey || event.metaKey) return;
    const page = Math.max(1, Math.floor(this.#height / ROW) - 2);
    const last = this.#rows.length - 1;
    /** @type {Record<string, () => number>} */
    const moves = {
      ArrowUp: () => this.#at - 1,
      ArrowDown: () => this.#at + 1,
      PageUp: () => this.#at - page,
      PageDown: () => this.#at + page,
      Home: () => 0,
      End: () => last,
    };
    if (event.key === "Enter" || event.key === " ") this.#choose();
    else if (moves[event.key]) {
      this.#at = clamp(moves[event.key](), 0, last);
      this.#show();
    } else return;
    event.preventDefault();
    this.calls.change();
  }

  /** Bring the row where the keys are into view. */
  #show() {
    const y = this.#at * ROW;
    const room = this.#height - ROW; // below the head
    if (y < this.grid.scrollTop) this.grid.scrollTop = y;
    else if (y + ROW > this.grid.scrollTop + room) this.grid.scrollTop = y + ROW - room;
  }

  resize() {
    this.#height = this.grid.clientHeight;
  }

  /** Go to a row, if it is among those that are left. @param {number} row */
  reveal(row) {
    if (this.#stale) this.#refresh();
    const at = this.#rows.indexOf(row);
    if (at < 0) return;
    this.#at = at;
    this.#show();
  }

  #refresh() {
    const { ranking } = this;
    this.#stale = false;
    this.#rows = ranking.arrange(this.#filter, this.#sort, this.#falling, this.#seen);
    const { rows, total } = ranking.counts(this.#seen.variant);
    const cut = total > rows ? ` best, of ${total} in Python` : "";
    const count = this.#rows.length;
    this.#at = clamp(this.#at, 0, Math.max(0, count - 1));
    this.count.textContent =
      count === rows ? `${count} rows${cut}` : `${count} of ${rows} rows${cut}`;
    this.grid.setAttribute("aria-rowcount", String(count + 1));
    this.body.style.height = `${count * ROW}px`;
    for (const { name, root } of this.heads) {
      const now = name === this.#sort ? (this.#falling ? "descending" : "ascending") : "none";
      root.setAttribute("aria-sort", now);
    }
  }

  /** @param {number} chosen the row that is shown */
  paint(chosen) {
    if (this.#stale) this.#refresh();
    const top = this.grid.scrollTop;
    const first = Math.max(0, Math.floor(top / ROW) - 2);
    const stop = Math.min(this.#rows.length, Math.ceil((top + this.#height) / ROW) + 2);
    if (!this.#drawn.changed([this.#rows, first, stop, chosen, this.#at])) return;
    /** @type {HTMLElement[]} */
    const made = [];
    for (let at = first; at < stop; at++) made.push(this.#row(at, chosen));
    this.body.replaceChildren(...made);
    const here = this.#at >= first && this.#at < stop && this.#rows.length > 0;
    if (here) this.grid.setAttribute("aria-activedescendant", `${this.id}-${this.#at}`);
    else this.grid.removeAttribute("aria-activedescendant");
    if (this.#rows.length === 0) {
      const { rows } = this.ranking.counts(this.#seen.variant);
      const text = rows === 0 ? "Nothing was ranked." : "No row passes the filter.";
      this.body.append(element("div", { class: "lw-empty" }, [text]));
    }
  }

  /**
   * @param {number} at
   * @param {number} chosen
   */
  #row(at, chosen) {
    const row = this.#rows[at];
    const made = element(
      "div",
      {
        role: "row",
        id: `${this.id}-${at}`,
        "data-at": at,
        "data-row": row,
        "aria-rowindex": at + 2,
        "aria-selected": row === chosen ? "true" : "false",
        class: at === this.#at ? "lw-at" : "",
      },
      this.columns.map(([name]) => this.#field(name, row)),
    );
    made.style.top = `${at * ROW}px`;
    return made;
  }

  /**
   * @param {string} name
   * @param {number} row
   */
  #field(name, row) {
    const { ranking } = this;
    const value = ranking.number(name, row);
    if (name === "score") return this.#score(ranking.score(row, this.#seen.less));
    const reason = name === "q_value" ? ranking.reason(row) : "";
    if (reason) {
      // A number that there is stands before it.
      const shown = Number.isNaN(value) ? reason : `${digits(value)} ${reason}`;
      return element("span", { role: "gridcell", class: "lw-q_value lw-reason", title: shown }, [
        shown,
      ]);
    }
    const text = () => {
      if (name === "cell") return String(value);
      if (name === "effective_n") return independent(value);
      if (name === "lag") return value === 0 ? "0" : signed(value);
      return NUMBERS.has(name) ? digits(value) : visible(ranking.text(name, row));
    };
    const shown = text();
    return element("span", { role: "gridcell", class: `lw-${name}`, title: shown }, [shown]);
  }

  /** A score from −1 to 1, or by how much it is another: and a bar from the middle, 0, to its side. @param {number} value */
  #score(value) {
    const bar = element("i");
    const most = this.#seen.less ? 2 : 1;
    const size = Number.isNaN(value) ? 0 : Math.min(1, Math.abs(value) / most) * 50;
    bar.style.left = `${value < 0 ? 50 - size : 50}%`;
    bar.style.width = `${size}%`;
    return element("span", { role: "gridcell", class: "lw-score" }, [
      element("span", {}, [digits(value)]),
      element("span", { class: "lw-meter", "aria-hidden": "true" }, [bar]),
    ]);
  }
}
