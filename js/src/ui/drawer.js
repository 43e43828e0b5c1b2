// A row above the panes that is asked for: it takes the focus, and gives it back.

import { element, listen } from "../lib/dom.js";
import { button } from "./controls.js";

export class Drawer {
  open = false;
  /** What had the focus before. @type {HTMLElement | undefined} */
  #before;

  /**
   * @param {HTMLElement} widget the root of the widget
   * @param {{name: string, told: string, role: string, field: HTMLInputElement | HTMLTextAreaElement,
   *   rest: Node[], ends: string, onOpen: () => void, onClose: () => void}} parts its button's name and
   *   sentence; what it is; what is written into; what stands behind that; what closing it does
   */
  constructor(widget, { name, told, role, field, rest, ends, onOpen, onClose }) {
    this.widget = widget;
    this.field = field;
    this.onOpen = onOpen;
    this.onClose = onClose;
    this.button = button(name, told, () => (this.open ? this.close() : this.show()));
    const close = button("✕", ends, () => this.close());
    this.root = element("div", { class: "lw-drawer", role }, [field, ...rest, close]);
    this.root.hidden = true;
    listen(this.root, "keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      this.close();
    });
  }

  show() {
    if (!this.open) {
      const root = /** @type {Document | ShadowRoot} */ (this.widget.getRootNode());
      this.#before = /** @type {HTMLElement | undefined} */ (root.activeElement ?? undefined);
      this.onOpen();
    }
    this.open = true;
    this.root.hidden = false;
    this.field.focus();
    this.field.select();
  }

  close() {
    if (!this.open) return;
    this.open = false;
    this.root.hidden = true;
    this.onClose();
    const before = this.#before;
    if (before && this.widget.contains(before)) before.focus();
    else this.button.focus();
  }
}
