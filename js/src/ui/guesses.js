// What the model held for most probable to come next.

import { mix } from "../colour/palettes.js";
import { BLOCK } from "../data/codes.js";
import { written } from "../layout/text_layout.js";
import { element } from "../lib/dom.js";
import { number } from "../lib/tokens.js";

/** @typedef {import("./frame.js").AnySource} AnySource */
/** @typedef {{text: string, probability: number, right: boolean}} Guess */

/**
 * The guesses of a timestep, the most probable first.
 * @param {AnySource} source
 * @param {number} column
 * @returns {Guess[] | undefined} undefined if there are none, or if they are on their way
 */
export function guessesAt(source, column) {
  const { predictions: ranks = 0 } = source.layer;
  const block = ranks ? source.guesses(Math.floor(column / BLOCK)) : undefined;
  if (!block) return undefined;
  const at = column % BLOCK;
  const first = at * ranks;
  const { table, ids, probabilities, targets } = block;
  if (ids[first] < 0) return undefined;
  const next = nextToken(source, column);
  return Array.from({ length: ranks }, (_, rank) => {
    const token = table?.[ids[first + rank]];
    const probability = probabilities[first + rank];
    const right = table ? token === next : probability === targets[at];
    return {
      text:
        token === undefined ? `#${ids[first + rank]}` : written(source.spelling.alone(token), true),
      probability,
      right,
    };
  });
}

/**
 * The same, and after them what really came next, with its probability, if it is not among them.
 * @param {AnySource} source
 * @param {number} column
 */
export function guessesAndTruth(source, column) {
  const guesses = guessesAt(source, column);
  const next = nextToken(source, column);
  if (!guesses || next === undefined || guesses.some(({ right }) => right)) return guesses;
  const probability = source.guesses(Math.floor(column / BLOCK))?.targets[column % BLOCK];
  if (probability === undefined || Number.isNaN(probability)) return guesses;
  return [
    ...guesses,
    { text: written(source.spelling.alone(next), true), probability, right: true },
  ];
}

/**
 * The token that really follows; undefined if that is not known.
 * @param {AnySource} source
 * @param {number} column
 */
function nextToken(source, column) {
  return (column + 1) % source.layer.timesteps === 0 ? undefined : source.token(column + 1);
}

/**
 * What a probability is drawn on: the further from the background, the larger it is.
 * @param {import("../colour/theme.js").Theme} theme
 * @param {number} probability
 */
export function shade({ background, foreground }, probability) {
  return mix(background, foreground, 0.06 + 0.74 * probability);
}

/** The guesses of the selected timestep with their numbers. */
export class GuessList {
  #shown = "";

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
    const key = JSON.stringify(guesses);
    if (key === this.#shown) return;
    this.#shown = key;
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
