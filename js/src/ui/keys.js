// What the keys of a widget do, and its controls in a sentence each: a panel that is asked for.

import { div, element, listen } from "../lib/dom.js";
import { button } from "./controls.js";

/** What a key or a movement does. @typedef {[keys: string, does: string]} Key */

/** @type {Key[]} */
const EVERYWHERE = [
  ["Tab", "moves on to the next plot or control"],
  ["?", "shows this panel"],
  ["Esc", "closes it; leaves full screen"],
];

export class Keys {
  /**
   * @param {HTMLElement} root of the widget
   * @param {() => {title: string, keys: Key[]}[]} parts what has keys of its own
   */
  constructor(root, parts) {
    this.root = root;
    this.parts = parts;
    this.content = div("lw-keys-content");
    const close = button("×", "close", () => this.dialog.close());
    this.dialog = element("dialog", { class: "lw-keys", "aria-label": "Keys and controls" }, [
      element("div", { class: "lw-keys-head" }, [element("h2", {}, ["Keys and controls"]), close]),
      this.content,
    ]);
    this.button = button("?", "keys and controls (?)", () => this.show());
    this.button.setAttribute("aria-haspopup", "dialog");
    // Beside the panel, what is clicked is the panel's own backdrop.
    listen(this.dialog, "click", (event) => event.target === this.dialog && this.dialog.close());
    listen(this.dialog, "keydown", (event) => {
      if (event.key === "Escape") event.stopPropagation();
    });
    listen(root, "keydown", (event) => {
      const written = /** @type {Element} */ (event.target).matches(
        "textarea, input:not([type=range], [type=checkbox])",
      );
      if (event.key !== "?" || written || event.defaultPrevented) return;
      event.preventDefault();
      this.show();
    });
  }

  show() {
    if (this.dialog.open) return;
    const parts = this.parts().filter(({ keys }) => keys.length > 0);
    this.content.replaceChildren(
      ...[...parts, { title: "everywhere", keys: EVERYWHERE }].map(({ title, keys }) =>
        section(
          title,
          keys.map(([keys, does]) => [names(keys), does]),
        ),
      ),
      section(
        "controls",
        this.#controls().map(([name, told]) => [[name], told]),
      ),
    );
    this.dialog.showModal();
    this.content.scrollTop = 0;
  }

  /** The controls that are seen, with what is told of them. @returns {[string, string][]} */
  #controls() {
    const told = /** @type {NodeListOf<HTMLElement>} */ (
      this.root.querySelectorAll("[data-control][aria-description]")
    );
    return [...told]
      .filter((control) => control.checkVisibility() && control.closest(".lw") === this.root)
      .map((control) => [
        control.dataset.control ?? "",
        control.getAttribute("aria-description") ?? "",
      ]);
  }
}

/**
 * Keys that belong together stand between spaces, those that do the same between commas.
 * @param {string} keys
 */
function names(keys) {
  return keys
    .split(/( |, )/)
    .map((part) =>
      /^(, | )$/.test(part) ? part : element("kbd", {}, [part.replaceAll("_", " ")]),
    );
}

/**
 * @param {string} title
 * @param {[(Node | string)[], string][]} rows
 */
function section(title, rows) {
  return element("section", {}, [
    element("h3", {}, [title]),
    element(
      "dl",
      {},
      rows.flatMap(([name, told]) => [element("dt", {}, name), element("dd", {}, [told])]),
    ),
  ]);
}
