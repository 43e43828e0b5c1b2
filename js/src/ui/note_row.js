// What a person writes about the selected cell: its first line is the cell's name.

import { cellName, inPart } from "../data/layer.js";
import { element, listen } from "../lib/dom.js";
import { Drawer } from "./drawer.js";

export class NoteRow {
  /** Whose note is being written. */
  #of = "";

  /** @param {import("./frame.js").Frame} frame */
  constructor(frame) {
    this.frame = frame;
    this.state = frame.state;
    this.text = element("textarea", { rows: 2, "data-control": "note", spellcheck: "false" });
    this.told = element("span", {}, ["The first line is its name."]);
    this.drawer = new Drawer(frame.root, {
      name: "note",
      told: "name the cell, or write something about it (n)",
      role: "group",
      field: this.text,
      rest: [this.told],
      ends: "close the note (Escape)",
      onOpen: () => this.#fill(),
      onClose: () => {},
    });
    listen(this.text, "input", () => this.#write());
    listen(frame.root, "keydown", (event) => {
      const typing = /** @type {Element} */ (event.target).matches("input, textarea, select");
      if (event.key !== "n" || typing || event.defaultPrevented) return;
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      this.drawer.show();
    });
  }

  /** The layer, or the direction of it, that has the selected cell, and which one it is there. */
  get #place() {
    const { layer, model } = this.state;
    const { part, index } = inPart(layer, model.get("cell"));
    return { name: layer.parts?.[part] ?? layer.name, cell: String(index) };
  }

  #write() {
    const { name, cell } = this.#place;
    const notes = this.state.model.get("_notes") ?? {};
    const { [cell]: _, ...others } = notes[name] ?? {};
    const text = this.text.value;
    const own = text.trim() ? { ...others, [cell]: text } : others;
    this.state.set({ _notes: { ...notes, [name]: own } }, this.frame);
  }

  update() {
    if (this.drawer.open) this.#fill();
  }

  #fill() {
    const { layer, model } = this.state;
    const { name, cell } = this.#place;
    const of = JSON.stringify([name, cell]);
    const text = model.get("_notes")?.[name]?.[cell] ?? "";
    // Not under the hands of who is writing: Python gives it back without blanks at its ends.
    const root = /** @type {Document | ShadowRoot} */ (this.text.getRootNode());
    const writing = root.activeElement === this.text && of === this.#of;
    if (!writing && this.text.value !== text) this.text.value = text;
    this.#of = of;
    const label = `note on ${cellName({ ...layer, notes: undefined }, model.get("cell"))}`;
    this.text.setAttribute("aria-label", label);
    this.text.placeholder = label;
  }
}
