// Light or dark: read off the page, and again whenever the page changes its mind.

import { luminance, pixel } from "./palettes.js";

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

/** Names of the variables in which hosts keep the colour of the paper and that of the text on it. */
const HOSTS = {
  jp: ["--jp-layout-color0", "--jp-content-font-color1"],
  vscode: ["--vscode-editor-background", "--vscode-editor-foreground"],
  pst: ["--pst-color-background", "--pst-color-text-base"],
};
/** What text must have at least to be read. */
const READABLE = 4.5;
/** Paper that is darker than this is dark. */
const DARK = 0.25;

/** Red, green, blue and how opaque, from 0 to 255. @typedef {[number, number, number, number]} Paint */
/** @type {Paint} */
const WHITE = [255, 255, 255, 255];
/** @type {Paint} */
const BLACK = [17, 20, 23, 255];

/** @param {string} colour any CSS colour @returns {Paint} */
function rgba(colour) {
  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  if (!context) return WHITE;
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
  return [r, g, b, a];
}

/** @param {Paint} paint */
const pixelOf = ([r, g, b]) => pixel([r, g, b]);

/** @param {Paint} paint */
const isDark = (paint) => luminance(pixelOf(paint)) < DARK;

/** @param {string} colour any CSS colour @returns {number} a pixel */
const parse = (colour) => pixelOf(rgba(colour));

/** An opaque colour under another. @param {Paint} under @param {Paint} over @returns {Paint} */
function cover(under, over) {
  const part = (/** @type {number} */ i) =>
    Math.round(under[i] + ((over[i] - under[i]) * over[3]) / 255);
  return [part(0), part(1), part(2), 255];
}

/** @param {Element} of */
function styleOf(of) {
  return (of.ownerDocument.defaultView ?? window).getComputedStyle(of);
}

/** What an element is drawn in: past a shadow root its host, past a page the frame that it stands in. */
function parentOf(/** @type {Element} */ of) {
  if (of.assignedSlot) return of.assignedSlot;
  if (of.parentElement) return of.parentElement;
  const root = of.getRootNode();
  if ("host" in root) return /** @type {ShadowRoot} */ (root).host;
  try {
    return of.ownerDocument.defaultView?.frameElement ?? null;
  } catch {
    return null; // a page of another origin
  }
}

/** The colour that a browser gives a page without one. @param {Document} page */
function canvasOf(page) {
  const probe = page.createElement("i");
  probe.style.cssText = "position:fixed;visibility:hidden;color:Canvas";
  page.documentElement.append(probe);
  const canvas = rgba(styleOf(probe).color);
  probe.remove();
  return canvas;
}

/**
 * What is behind a page that draws no ground of its own.
 * @param {Element} from
 * @param {Document} page the outermost that can be seen from here
 */
function ground(from, page) {
  const canvas = canvasOf(page);
  const { defaultView, documentElement, body } = page;
  if (!defaultView || defaultView === defaultView.parent || isDark(canvas)) return canvas;
  // In a frame, and the page around it can't be seen: what the page says of itself, its text, the system.
  const said = [documentElement, body]
    .map((of) => `${of.className} ${of.getAttribute("theme")} ${JSON.stringify(of.dataset)}`)
    .join(" ");
  const named = /\b(dark|light)\b/i.exec(said)?.[1].toLowerCase();
  const dark = named
    ? named === "dark"
    : luminance(parse(styleOf(from).color)) > 0.4 ||
      matchMedia("(prefers-color-scheme: dark)").matches;
  return dark ? BLACK : WHITE;
}

/** The colour behind an element, through whatever is transparent. @param {Element} from */
function backdrop(from) {
  const layers = [];
  let page = from.ownerDocument;
  for (let at = /** @type {Element | null} */ (from); at; at = parentOf(at)) {
    page = at.ownerDocument;
    const layer = rgba(styleOf(at).backgroundColor);
    if (layer[3] > 0) layers.push(layer);
    if (layer[3] === 255) break;
  }
  const opaque = layers.at(-1)?.[3] === 255;
  if (!opaque) layers.push(ground(from, page));
  return layers.reverse().reduce(cover);
}

/**
 * The host whose colours are for such a page, and can be read on each other; a page may have variables of
 * a host that it doesn't follow.
 * @param {CSSStyleDeclaration} style
 * @param {boolean} dark
 */
function hostOf(style, dark) {
  for (const [host, names] of Object.entries(HOSTS)) {
    const values = names.map((name) => style.getPropertyValue(name).trim());
    if (!values.every((value) => CSS.supports("color", value))) continue;
    const [under, over] = values.map(rgba);
    if (under[3] < 255) continue;
    const [paper, text] = [under, cover(under, over)].map((paint) => luminance(pixelOf(paint)));
    const contrast = (Math.max(paper, text) + 0.05) / (Math.min(paper, text) + 0.05);
    if (paper < DARK === dark && contrast >= READABLE) return host;
  }
  return "";
}

/** The widget that one stands in, which may have another theme from before; itself, if it stands alone. */
function outermost(/** @type {HTMLElement} */ root) {
  let at = root;
  for (let up = at.parentElement; up; up = up.parentElement) if (up.matches(".lw")) at = up;
  return at;
}

/**
 * Read the theme, and mark the root with it.
 * @param {HTMLElement} root
 * @returns {Theme}
 */
export function readTheme(root) {
  const dark = isDark(backdrop(parentOf(outermost(root)) ?? document.body));
  const style = getComputedStyle(root);
  root.dataset.theme = dark ? "dark" : "light";
  root.dataset.colours = hostOf(style, dark);
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
 * Call back when a pixel has got another size: the page was zoomed, or moved to another screen.
 * @param {() => void} callback
 * @param {AbortSignal} signal
 */
export function watchRatio(callback, signal) {
  const changed = () => {
    callback();
    watchRatio(callback, signal);
  };
  const query = matchMedia(`(resolution: ${devicePixelRatio}dppx)`);
  if (!signal.aborted) query.addEventListener("change", changed, { once: true, signal });
}

/**
 * Call back when the page may have changed its theme.
 * @param {() => void} callback
 * @param {AbortSignal} signal
 */
export function watchTheme(callback, signal) {
  /** @type {ReturnType<typeof setTimeout>[]} */
  let timers = [];
  const stop = () => timers.forEach(clearTimeout);
  // A host names its theme at once and loads the colours later.
  const soon = () => {
    stop();
    timers = [0, 150, 600, 2000].map((delay) => setTimeout(callback, delay));
  };
  const observer = new MutationObserver(soon);
  for (const target of [document.body, document.documentElement]) {
    observer.observe(target, {
      attributes: true,
      attributeFilter: [
        "class",
        "style",
        "theme",
        "data-theme",
        "data-jp-theme-light",
        "data-jp-theme-name",
      ],
    });
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", soon, { signal });
  signal.addEventListener("abort", () => {
    observer.disconnect();
    stop();
  });
}
