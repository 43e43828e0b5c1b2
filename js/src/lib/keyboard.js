// What keys do, and whose they are.

/**
 * Do what a key stands for.
 * @param {KeyboardEvent} event
 * @param {Record<string, () => void>} keys
 * @param {string[]} modified those that may be pressed with control
 */
export function press(event, keys, modified = []) {
  const act = keys[event.key];
  const control = event.ctrlKey || event.metaKey;
  if (!act || event.altKey || (control && !modified.includes(event.key))) return;
  event.preventDefault();
  act();
}

/** Keys that panes use with control. */
const WITH_CONTROL = new Set(["Home", "End"]);
/** What control does in a field that is written into. */
const EDITING = /^([acvxyz]|Arrow.*|Home|End|Backspace|Delete)$/i;

/**
 * Whether a key is the browser's or the notebook's, whatever has the focus: those to save, find, print.
 * @param {KeyboardEvent} event
 * @param {Element} target what has the focus
 */
export function isHosts(event, target) {
  const { key } = event;
  if (/^F\d+$/.test(key)) return true;
  if (key === "Enter") return false; // which runs cells
  // What AltGr, or the Mac's option key, types is a character.
  if (event.getModifierState("AltGraph")) return false;
  const field = target.matches("input, textarea");
  if (event.altKey) return !field;
  if (!event.ctrlKey && !event.metaKey) return false;
  if (key.toLowerCase() === "f" && target.closest("[data-finds]")) return false;
  return !(field ? EDITING.test(key) : WITH_CONTROL.has(key));
}
