// What the model held for most probable to come next, in numbers.

import { element } from "../lib/dom.js";
import { Memo } from "../lib/memo.js";
import { number } from "../lib/wording.js";

/** @typedef {import("../data/guesses.js").Guess} Guess */

/** The guesses of the selected timestep with their numbers. */
export class GuessList {
  #shown = new Memo();

  /** @param {string} label */
  constructor(label = "next token:") {
    this.list = element("ol");
    this.root = element("div", { class: "lw-guesses", "aria-live": "polite" }, [
      element("span", {}, [label]),
      this.list,
    ]);
  }

  /**
   * @param {Guess[] | undefined} guesses
   * @param {boolean} any whether the layer has any at all
   */
  update(guesses, any) {
    this.root.hidden = !any;
    if (!this.#shown.changed([JSON.stringify(guesses)])) return;
    this.list.replaceChildren(
      ...(guesses ?? []).map(({ text, probability, right }) =>
        element("li", { class: right && "lw-right", title: `${text} ${probability}` }, [
          element("bdi", {}, [text]),
          ` ${number(probability)}${right ? " ✓" : ""}`,
        ]),
      ),
    );
  }
}
