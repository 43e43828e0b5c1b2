// Predictions, and what they depend on, in words.

import { summary } from "../../data/dependency.js";
import { placeOf } from "../../lib/sorted.js";
import { quoted, visible } from "../../lib/tokens.js";
import { number } from "../../lib/wording.js";

/** @typedef {import("../../state/dependency.js").DependencyState} DependencyState */

/** How far one token is from another, in words. @param {number} back */
export function distance(back) {
  if (back === 0) return "just read";
  return back > 0 ? `${back} back` : `${-back} ahead`;
}

/** When a timestep is, or its number. @param {DependencyState} state @param {number} timestep */
const when = (state, timestep) => state.time(timestep) ?? `t=${timestep}`;

/** A timestep with its token. @param {DependencyState} state @param {number} timestep */
export function place(state, timestep) {
  const token = state.token(timestep);
  return `${when(state, timestep)}${token === undefined ? "" : ` ${quoted(token)}`}`;
}

/**
 * What a model's prediction is of, in words.
 * @param {DependencyState} state
 * @param {number} k
 * @param {number} timestep
 */
export function target(state, k, timestep) {
  const { timesteps, of } = state.models[k];
  const given = state.text?.targets[k]?.[placeOf(timesteps, timestep)];
  if (!given) return of || "prediction";
  const kind = given[0] === "@" ? "output" : "class";
  const named = given[0] === "=" ? quoted(given.slice(1)) : `${kind} ${given.slice(1)}`;
  return `${of} ${of === "loss" ? "at" : "of"} ${named}`;
}

/**
 * A prediction in a sentence.
 * @param {DependencyState} state
 * @param {number} timestep
 * @param {number | null} input the token whose number is read out; null: the strongest of each model
 * @param {(value: number) => string} write how numbers are written
 */
export function sentence(state, timestep, input, write = number) {
  const parts = [place(state, timestep)];
  const { example, label } = state;
  const called = label === undefined ? "" : ` "${visible(label)}"`;
  if (state.extent.examples > 1) parts.unshift(`example ${example}${called}`);
  const next = state.token(timestep + 1);
  if (next !== undefined) parts[parts.length - 1] += `, next ${quoted(next)}`;
  const each = state.models.map(({ name }, k) => {
    const value = said(state, k, timestep, input, write);
    return name ? `${name} ${value}` : value;
  });
  const where =
    input === null ? "strongest" : `on ${place(state, input)} (${distance(timestep - input)})`;
  return `${parts.join(" · ")} · ${where}: ${each.join(" · ")}`;
}

/**
 * The strongest value of a prediction, or that of one token.
 * @param {DependencyState} state
 * @param {number} k
 * @param {number} timestep
 * @param {number | null} input
 * @param {(value: number) => string} write
 */
function said(state, k, timestep, input, write) {
  const row = state.row(k, timestep);
  if (row === undefined) return "…";
  if (row === "none") return "not computed";
  if (row.values.length === 0) return "unknown";
  const { at } = input === null ? summary(row, timestep) : { at: input };
  const value = row.values[at - row.start];
  if (value === undefined) return "not read";
  const { unit } = state.models[k];
  const said = unit ? `${write(value)} ${unit}` : write(value);
  if (input !== null) return said;
  const token = state.token(at);
  const where = token === undefined ? place(state, at) : quoted(token);
  return `${said} on ${where} ${distance(timestep - at)}`;
}

/**
 * The caption of a model: what its prediction is of, on what it depends the most, and how far back.
 * @param {DependencyState} state
 * @param {number} k
 * @param {number} timestep
 */
export function caption(state, k, timestep) {
  const row = state.row(k, timestep);
  if (row === undefined) return "loading the prediction …";
  if (row === "none")
    return `no dependency was computed for the prediction after ${when(state, timestep)}`;
  if (row.values.length === 0) {
    const ended = state.extent.series && timestep >= state.stop;
    const why = ended ? "the series has ended" : "what comes next is unknown";
    return `nothing is known of the prediction after ${when(state, timestep)}: ${why}`;
  }
  const { at, half } = summary(row, timestep);
  const parts = [target(state, k, timestep)];
  if (at >= 0) parts.push(`strongest ${said(state, k, timestep, null, number)}`);
  if (half !== undefined) {
    const last = half === 1 ? state.noun : `${half} ${state.noun}s`;
    parts.push(`half of the sum within the last ${last}`);
  }
  return parts.join(" · ");
}
