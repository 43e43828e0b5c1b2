// Finding a text among the tokens: a row that Ctrl+F or / opens above the panes.

import { button, element, listen } from "./dom.js";

/** Marks a widget in which Ctrl+F is ours, see dom.js. */
const FINDS = "data-finds";

export class FindRow {
  #open = false;
  /** Where the search began: what is typed leads to the first place from there on. */
  #from = 0;
  /** Whether to go to the first place, once it is known. */
  #going = false;
  /** What had the focus before. @type {HTMLElement | undefined} */
  #before;

  /** @param {import("./frame.js").Frame} frame */
  constructor(frame) {
    this.frame = frame;
    this.state = frame.state;
    this.input = element("input", {
      type: "search",
      placeholder: "find in the tokens",
      "aria-label": "find in the tokens",
      "data-control": "find tokens",
    });
    this.told = element("span", { role: "status" });
    this.previous = button("↑", "previous place (Shift+Enter)", () => this.#step(-1));
    this.next = button("↓", "next place (Enter)", () => this.#step(1));
    this.root = element("div", { class: "lw-search", role: "search" }, [
      this.input,
      element("div", { class: "lw-zoom" }, [this.previous, this.next]),
      this.told,
      button("✕", "end the search (Escape)", () => this.close()),
    ]);
    this.opener = button("find", "find a text among the tokens (Ctrl+F or /)", () =>
      this.#open ? this.close() : this.open(),
    );
    this.tool = element("div", { class: "lw-zoom" }, [this.opener]);
    this.root.hidden = true;
    listen(this.input, "input", () => {
      this.#going = true;
      this.state.find(this.input.value);
    });
    listen(this.root, "keydown", (event) => {
      if (event.key === "Escape") this.close();
      else if (event.key === "Enter" && event.target === this.input)
        this.#step(event.shiftKey ? -1 : 1);
      else return;
      event.preventDefault();
    });
    listen(frame.root, "keydown", (event) => {
      if (event.defaultPrevented || !this.state.layer.tokens || event.altKey) return;
      const control = event.ctrlKey || event.metaKey;
      const typing = /** @type {Element} */ (event.target).matches("input, textarea, select");
      if (!(control ? event.key.toLowerCase() === "f" : event.key === "/" && !typing)) return;
      event.preventDefault();
      this.open();
    });
  }

  open() {
    if (!this.#open) {
      const root = /** @type {Document | ShadowRoot} */ (this.root.getRootNode());
      this.#before = /** @type {HTMLElement | undefined} */ (root.activeElement ?? undefined);
      this.#from = this.state.column;
    }
    this.#open = true;
    this.root.hidden = false;
    this.input.focus();
    this.input.select();
    if (this.input.value) this.state.find(this.input.value);
  }

  close() {
    this.#open = this.#going = false;
    this.root.hidden = true;
    this.state.find("");
    const before = this.#before;
    if (before && this.frame.root.contains(before)) before.focus();
    else this.opener.focus();
  }

  /** @param {number} way */
  #step(way) {
    const { hits, column } = this.state;
    if (!hits?.count) return;
    this.#from = hits.starts[hits.next(column, way)];
    this.state.select(this.#from, this.frame);
  }

  /** Follow what was found. */
  update() {
    const { state } = this;
    const { tokens } = state.layer;
    this.tool.hidden = !tokens;
    if (tokens) this.frame.root.setAttribute(FINDS, "");
    else this.frame.root.removeAttribute(FINDS);
    if (!tokens && this.#open) this.close();
    if (!this.#open) return;
    const { hits } = state;
    if (this.#going && hits) {
      this.#going = false;
      if (hits.count > 0) {
        const first = hits.at(this.#from);
        const here = first >= 0 && hits.starts[first] === this.#from;
        const to = here ? first : hits.next(this.#from, 1);
        if (hits.starts[to] !== state.column) state.select(hits.starts[to], this.frame);
      }
    }
    const nowhere = !hits?.count;
    this.previous.disabled = this.next.disabled = nowhere;
    const told = this.#say();
    if (this.told.textContent !== told) this.told.textContent = told;
  }

  #say() {
    const { hits, column } = this.state;
    if (!this.input.value) return "";
    if (!hits) return "searching …";
    if (hits.count === 0) return "nowhere";
    const at = hits.at(column);
    const within = at >= 0 && column < hits.stops[at];
    const count = `${hits.count}${hits.cut ? " or more" : ""}`;
    return within ? `${at + 1} of ${count}` : `${count} ${hits.count === 1 ? "place" : "places"}`;
  }
}
