// How far something is scrolled, however long it is. Lengths in CSS pixels.

import { clamp } from "../lib/clamp.js";

/** Browsers stop at about 16 million pixels; beyond that the scroll bar moves in larger steps. */
const MOST_SCROLL = 12_000_000;

/**
 * What scrolls: its length, the length in view, and the length that the browser is told.
 * @param {number} whole
 * @param {number} room
 */
export function extentOf(whole, room) {
  return { whole, room, shown: Math.min(whole, MOST_SCROLL) };
}

/** @typedef {ReturnType<typeof extentOf>} Extent */

/**
 * The place at which a scroll bar stands.
 * @param {number} at the browser's number
 * @param {Extent} extent
 */
export function fromScroll(at, { whole, room, shown }) {
  if (whole <= room) return 0;
  const scaled = shown === whole ? at : (at * (whole - room)) / (shown - room);
  return clamp(scaled, 0, whole - room);
}

/**
 * The browser's number for a place.
 * @param {number} to
 * @param {Extent} extent
 */
export function toScroll(to, { whole, room, shown }) {
  return shown === whole ? to : (to * (shown - room)) / (whole - room);
}

/**
 * Where to scroll so that something is seen.
 * @param {number} at where it is scrolled now
 * @param {number} start
 * @param {number} size
 * @param {number} room
 * @param {boolean} gently as little as will do, where it is near; otherwise it comes to the middle
 */
export function revealing(at, start, size, room, gently) {
  if (start >= at && start + size <= at + room) return at;
  const near = gently && start + size > at - room && start < at + 2 * room;
  const edge = start < at ? start : start + size - room;
  return near ? edge : start - room / 2;
}
