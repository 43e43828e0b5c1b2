// Light or dark: read off the page, and again whenever the page changes its mind.

import { luminance, pixel } from "../core/palettes.js";

/**
 * @typedef {object} Theme
 * @property {boolean} dark
 * @property {number} background a pixel
 * @property {number} foreground a pixel
 * @property {number} accent a pixel
 * @property {string} font
 * @property {string} mono
 * @property {Record<"fg" | "muted" | "line" | "accent" | "bg" | "bar" | "warn", string>} colour
 */

/** @param {string} colour any CSS colour @returns {number} a pixel */
function parse(colour) {
  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  if (!context) return 0xffffffff;
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  const [r, g, b] = context.getImageData(0, 0, 1, 1).data;
  return pixel([r, g, b]);
}

/** The colour behind an element. @param {Element} from */
function backdrop(from) {
  for (let at = /** @type {Element | null} */ (from); at; at = at.parentElement) {
    const { backgroundColor } = getComputedStyle(at);
    if (backgroundColor !== "transparent" && !/, 0\)$|\/ 0\)$/.test(backgroundColor)) {
      return parse(backgroundColor);
    }
  }
  return 0xffffffff;
}

/**
 * Read the theme, and mark the root with it.
 * @param {HTMLElement} root
 * @returns {Theme}
 */
export function readTheme(root) {
  const dark = luminance(backdrop(root.parentElement ?? document.body)) < 0.25;
  root.dataset.theme = dark ? "dark" : "light";
  const style = getComputedStyle(root);
  const variable = (/** @type {string} */ name) => style.getPropertyValue(`--lw-${name}`).trim();
  return {
    dark,
    background: parse(variable("bg")),
    foreground: parse(variable("fg")),
    accent: parse(variable("accent")),
    font: style.fontFamily,
    mono: variable("mono"),
    colour: {
      fg: variable("fg"),
      muted: variable("muted"),
      line: variable("line"),
      accent: variable("accent"),
      bg: variable("bg"),
      bar: variable("bar"),
      warn: variable("warn"),
    },
  };
}

/**
 * Call back when the page may have changed its theme.
 * @param {() => void} callback
 * @param {AbortSignal} signal
 */
export function watchTheme(callback, signal) {
  // A host names its theme at once and loads the colours later.
  const soon = () => {
    for (const delay of [0, 150, 600, 2000]) setTimeout(() => signal.aborted || callback(), delay);
  };
  const observer = new MutationObserver(soon);
  for (const target of [document.body, document.documentElement]) {
    observer.observe(target, {
      attributes: true,
      attributeFilter: [
        "class",
        "style",
        "data-theme",
        "data-jp-theme-light",
        "data-jp-theme-name",
      ],
    });
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", soon, { signal });
  signal.addEventListener("abort", () => observer.disconnect());
}
