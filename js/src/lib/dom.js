// Small pieces of the page. Text only ever goes in as text.

/** What Jupyter's front ends look for before they take a key: on what has the focus, and on what it is in. */
export const OUR_KEYS = "data-lm-suppress-shortcuts";
const FOCUSABLE = new Set(["button", "input", "select", "textarea"]);

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | number | boolean>} attributes
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function element(tag, attributes = {}, children = []) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false) made.setAttribute(name, value === true ? "" : String(value));
  }
  if (FOCUSABLE.has(tag) || "tabindex" in attributes) made.setAttribute(OUR_KEYS, "true");
  made.append(...children);
  return made;
}

/**
 * A box of a class.
 * @param {string} name
 * @param {(Node | string)[]} children
 */
export function div(name, children = []) {
  return element("div", { class: name }, children);
}

/**
 * Listen to an event.
 * @template {keyof HTMLElementEventMap} K
 * @param {EventTarget} target
 * @param {K} type
 * @param {(event: HTMLElementEventMap[K]) => void} call
 * @param {AddEventListenerOptions} [options]
 */
export function listen(target, type, call, options) {
  target.addEventListener(type, /** @type {EventListener} */ (call), options);
}

let ids = 0;

/** A fresh id, unlike any other in the page. */
export function freshId() {
  ids += 1;
  return `lw-${ids}-${Math.random().toString(36).slice(2)}`;
}

/** Write a text, if it is another one: what is the same again is not read out again. @param {Node} into @param {string} text */
export function write(into, text) {
  if (into.textContent !== text) into.textContent = text;
}
