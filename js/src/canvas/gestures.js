// What a pointer does on something that is scrolled. A mouse or a pen presses and drags. A finger's drag
// scrolls, as everywhere in a page: a tap presses, and what is held for a moment can be dragged.

import { listen } from "../lib/dom.js";

/** A hand is not that steady: so far, in pixels, a mouse moves before it drags. */
const BEGINS = 2;
/** The same of a finger that rests. */
const RESTS = 8;
/** How long a finger rests before it drags. */
const HELD_AFTER = 450;

/**
 * @param {HTMLElement} root
 * @param {object} on
 * @param {(event: PointerEvent) => boolean} on.press whether there is something to drag
 * @param {(event: PointerEvent) => void} on.drag
 * @param {() => void} [on.drop]
 */
export function gestures(root, { press, drag, drop }) {
  /** @type {PointerEvent | undefined} */
  let began;
  let held = false;
  let dragging = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let holding;
  const end = () => {
    clearTimeout(holding);
    holding = began = undefined;
    if (held) drop?.();
    held = dragging = false;
  };
  const hold = (/** @type {PointerEvent} */ event) => {
    held = press(event);
    if (held) root.setPointerCapture(event.pointerId);
  };
  listen(root, "pointerdown", (event) => {
    if (event.button !== 0 || !event.isPrimary) return end(); // of two fingers, neither drags
    began = event;
    if (event.pointerType !== "touch") hold(event);
    else {
      holding = setTimeout(() => {
        holding = undefined;
        hold(event);
      }, HELD_AFTER);
    }
  });
  listen(root, "pointermove", (event) => {
    if (!began || event.pointerId !== began.pointerId) return;
    const far = Math.hypot(event.clientX - began.clientX, event.clientY - began.clientY);
    if (holding && far > RESTS) end();
    dragging ||= held && far >= BEGINS;
    if (dragging) drag(event);
  });
  listen(root, "pointerup", (event) => {
    if (holding && event.pointerId === began?.pointerId) press(event);
    end();
  });
  listen(root, "pointercancel", end);
  // A finger that drags scrolls nothing, and opens no menu.
  const keep = (/** @type {Event} */ event) => {
    if (held && event.cancelable && began?.pointerType === "touch") event.preventDefault();
  };
  listen(root, "touchmove", keep, { passive: false });
  listen(root, "contextmenu", keep);
}
