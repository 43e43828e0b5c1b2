// Finding a text among the tokens: a row that Ctrl+F or / opens above the panes.

import { element, listen, write } from "../lib/dom.js";
import { button } from "./controls.js";
import { Drawer } from "./drawer.js";

/** Marks a widget in which Ctrl+F is ours, see dom.js. */
const FINDS = "data-finds";

export class FindRow {
  /** Where the search began: what is typed leads to the first place from there on. */
  #from = 0;
  /** Whether to go to the first place, once it is known. */
  #going = false;

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
    this.previous = button("↑", "previous match (Shift+Enter)", () => this.#step(-1));
    this.next = button("↓", "next match (Enter)", () => this.#step(1));
    this.drawer = new Drawer(frame.root, {
      name: "find",
      told: "find a text among the tokens (Ctrl+F or /)",
      role: "search",
      field: this.input,
      rest: [element("div", { class: "lw-zoom" }, [this.previous, this.next]), this.told],
      ends: "end the search (Escape)",
      onOpen: () => {
        this.#from = this.state.column;
        this.state.find(this.input.value);
      },
      onClose: () => {
        this.#going = false;
        this.state.find("");
      },
    });
    listen(this.input, "input", () => {
      this.#going = true;
      this.state.find(this.input.value);
    });
    listen(this.input, "keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      this.#step(event.shiftKey ? -1 : 1);
    });
    listen(frame.root, "keydown", (event) => {
      if (event.defaultPrevented || !this.state.layer.tokens || event.altKey) return;
      const control = event.ctrlKey || event.metaKey;
      const typing = /** @type {Element} */ (event.target).matches("input, textarea, select");
      if (!(control ? event.key.toLowerCase() === "f" : event.key === "/" && !typing)) return;
      event.preventDefault();
      this.drawer.show();
    });
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
    const { state, drawer } = this;
    const { tokens } = state.layer;
    drawer.button.hidden = !tokens;
    if (tokens) this.frame.root.setAttribute(FINDS, "");
    else this.frame.root.removeAttribute(FINDS);
    if (!tokens) drawer.close();
    if (!drawer.open) return;
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
    this.previous.disabled = this.next.disabled = !hits?.count;
    const told = this.#say();
    write(this.told, told);
  }

  #say() {
    const { hits, column } = this.state;
    if (!this.input.value) return "";
    if (!hits) return "searching …";
    if (hits.count === 0) return "no match";
    const at = hits.at(column);
    const within = at >= 0 && column < hits.stops[at];
    const count = `${hits.count}${hits.cut ? " or more" : ""}`;
    return within ? `${at + 1} of ${count}` : `${count} ${hits.count === 1 ? "match" : "matches"}`;
  }
}
