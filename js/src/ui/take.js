// Taking along what is seen: as an image, and as text for Python.

import { listen } from "../lib/dom.js";
import { call } from "../lib/python.js";
import { button, icon, save } from "./controls.js";
import { pictureOf } from "./picture.js";

/** How Python makes the widget. @typedef {{call: string, traits: Record<string, unknown>}} Made */

const PICTURE = "M2 3h12v10H2zM2 11l4-4 3 3 2-2 3 3M10.5 6h.01";
const COPY = "M5 5V2h9v9h-3M2 5h9v9H2z";
/** Of these, Python chooses the default from what is shown: they are always told. */
const SELECTED = ["layer", "signal", "cell", "example", "timestep", "method"];

export class Take {
  /**
   * @param {HTMLElement} root of the widget
   * @param {string} name what the widget is called
   * @param {import("../host/model.js").Model} model
   * @param {() => {text: string, full?: string}} selected what is selected, in words and as a number
   * @param {(text: string) => void} tell says something to who can't see it, and to who can
   */
  constructor(root, name, model, selected, tell) {
    this.root = root;
    const picture = button("", "save what is seen as PNG", async () => {
      const file = name.toLowerCase().replaceAll(" ", "-");
      try {
        save(await pictureOf(root), `${file}.png`);
        tell(`saved ${file}.png`);
      } catch (error) {
        tell(`no picture: ${error instanceof Error ? error.message : error}`);
      }
    });
    picture.append(icon(PICTURE));
    const copy = button("", "copy the selected value, and what is seen, for Python", async () => {
      const { text, full } = selected();
      const said = [`# ${name}: ${text}`, ...(full ? full.split("\n") : []).map((n) => `# ${n}`)];
      const told = [...said, written(model)].map((line) => line.replaceAll(/[\r\n]/g, " "));
      tell((await copied(root, told.join("\n"))) ? "copied" : "the browser allows no copying here");
    });
    copy.append(icon(COPY));
    this.buttons = [picture, copy];
  }
}

/**
 * What makes the widget as it is now, in Python.
 * @param {import("../host/model.js").Model} model
 */
function written(model) {
  const { call: begin, traits } = /** @type {Made} */ (model.get("_made"));
  const given = Object.entries(traits)
    .map(([name, usual]) => /** @type {const} */ ([name, model.get(name), usual]))
    .filter(
      ([name, value, usual]) =>
        SELECTED.includes(name) || JSON.stringify(value) !== JSON.stringify(usual),
    )
    .map(([name, value]) => /** @type {[string, unknown]} */ ([name, value]));
  return call(begin, given);
}

/**
 * Put a text where it can be pasted from.
 * @param {HTMLElement} root
 * @param {string} text
 * @returns {Promise<boolean>} whether that was allowed
 */
async function copied(root, text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // In a frame, or in a page that is not secure: what a person copies by hand may be replaced.
    const replace = (/** @type {ClipboardEvent} */ event) => {
      event.clipboardData?.setData("text/plain", text);
      event.preventDefault();
      event.stopPropagation();
    };
    const end = new AbortController();
    listen(root.ownerDocument, "copy", replace, { capture: true, signal: end.signal });
    const allowed = root.ownerDocument.execCommand("copy");
    end.abort();
    return allowed;
  }
}
