// What the model held for most probable to come next.

import { written } from "../lib/tokens.js";
import { BLOCK } from "./codes.js";

/** @typedef {import("./source.js").AnySource} AnySource */
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
