// What is seen of a widget, as an image: its canvases, and the words and grounds around them, drawn where
// they stand. The bar and the sliders are left out.

/** @typedef {{left: number, top: number, right: number, bottom: number}} Edges */

const CONTROLS = ".lw-bar, .lw-sliders, dialog, .lw-spoken";

/**
 * Draw a widget as it is seen now.
 * @param {HTMLElement} root
 * @returns {Promise<Blob>} a PNG, with as many pixels as the screen has
 */
export async function pictureOf(root) {
  const parts = [...root.children].filter((part) => !part.matches(CONTROLS));
  const boxes = parts
    .map((part) => part.getBoundingClientRect())
    .filter(({ height }) => height > 0);
  const { left, width } = root.getBoundingClientRect();
  const top = Math.min(...boxes.map((box) => box.top));
  const bottom = Math.max(...boxes.map((box) => box.bottom));
  const ratio = window.devicePixelRatio;
  const canvas = document.createElement("canvas");
  canvas.width = Math.ceil(width * ratio);
  canvas.height = Math.ceil((bottom - top) * ratio);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.setTransform(ratio, 0, 0, ratio, -left * ratio, -top * ratio);
  context.fillStyle = getComputedStyle(root).backgroundColor;
  context.fillRect(left, top, width, bottom - top);
  for (const part of parts) await draw(context, part, { left, top, right: left + width, bottom });
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no image"))));
  });
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Element} element
 * @param {Edges} clip what is seen of what it stands in
 */
async function draw(context, element, clip) {
  const style = getComputedStyle(element);
  if (element.matches(CONTROLS) || style.visibility === "hidden" || style.display === "none")
    return;
  const box = element.getBoundingClientRect();
  const seen = {
    left: Math.max(clip.left, box.left),
    top: Math.max(clip.top, box.top),
    right: Math.min(clip.right, box.right),
    bottom: Math.min(clip.bottom, box.bottom),
  };
  const inside = style.overflow === "visible" ? clip : seen;
  if (inside === seen && (seen.left >= seen.right || seen.top >= seen.bottom)) return;
  within(context, clip, () => ground(context, style, box));
  if (element instanceof HTMLCanvasElement) {
    if (element.width && element.height)
      within(context, clip, () => context.drawImage(element, box.x, box.y, box.width, box.height));
  } else if (element instanceof SVGSVGElement) {
    const image = await imageOf(element, box);
    within(context, clip, () => context.drawImage(image, box.x, box.y, box.width, box.height));
  } else if (element instanceof HTMLInputElement || element instanceof HTMLSelectElement) {
    within(context, inside, () => field(context, style, element, box));
  } else {
    for (const node of element.childNodes) {
      if (node instanceof Element) await draw(context, node, inside);
      else if (node instanceof Text) within(context, inside, () => words(context, style, node));
    }
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Edges} edges
 * @param {() => void} act
 */
function within(context, { left, top, right, bottom }, act) {
  context.save();
  context.beginPath();
  context.rect(left, top, right - left, bottom - top);
  context.clip();
  act();
  context.restore();
}

/**
 * What an element is drawn on: a colour, a ramp from left to right, lines at its sides.
 * @param {CanvasRenderingContext2D} context
 * @param {CSSStyleDeclaration} style
 * @param {DOMRect} box
 */
function ground(context, style, { x, y, width, height }) {
  context.fillStyle = style.backgroundColor;
  context.fillRect(x, y, width, height);
  if (style.backgroundImage.startsWith("linear-gradient(to right")) {
    const ramp = context.createLinearGradient(x, 0, x + width, 0);
    for (const [, colour, at] of style.backgroundImage.matchAll(/(rgb[^)]*\)) ([\d.]+)%/g))
      ramp.addColorStop(Number(at) / 100, colour);
    context.fillStyle = ramp;
    context.fillRect(x, y, width, height);
  }
  if (style.outlineStyle !== "none") {
    const wide = Number.parseFloat(style.outlineWidth);
    const out = Number.parseFloat(style.outlineOffset) + wide / 2;
    context.strokeStyle = style.outlineColor;
    context.lineWidth = wide;
    context.strokeRect(x - out, y - out, width + 2 * out, height + 2 * out);
  }
  const [above, right, below, left] = ["Top", "Right", "Bottom", "Left"].map((side) => {
    const drawn = style.getPropertyValue(`border-${side.toLowerCase()}-style`) !== "none";
    const size = drawn
      ? Number.parseFloat(style.getPropertyValue(`border-${side.toLowerCase()}-width`))
      : 0;
    return { size, colour: style.getPropertyValue(`border-${side.toLowerCase()}-color`) };
  });
  for (const [{ colour }, ...line] of /** @type {const} */ ([
    [above, x, y, width, above.size],
    [below, x, y + height - below.size, width, below.size],
    [left, x, y, left.size, height],
    [right, x + width - right.size, y, right.size, height],
  ])) {
    context.fillStyle = colour;
    context.fillRect(...line);
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {CSSStyleDeclaration} style
 * @param {Text} node
 */
function words(context, style, node) {
  context.font = `${style.fontStyle} ${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
  context.fillStyle = style.color;
  context.textBaseline = "middle";
  const range = document.createRange();
  for (const found of node.data.matchAll(/\S+/g)) {
    range.setStart(node, found.index);
    range.setEnd(node, found.index + found[0].length);
    const [box] = range.getClientRects();
    if (box) context.fillText(found[0], box.x, box.y + box.height / 2);
  }
}

/**
 * What is written into a field, or chosen in it.
 * @param {CanvasRenderingContext2D} context
 * @param {CSSStyleDeclaration} style
 * @param {HTMLInputElement | HTMLSelectElement} element
 * @param {DOMRect} box
 */
function field(context, style, element, { x, y, width, height }) {
  context.font = `${style.fontSize} ${style.fontFamily}`;
  context.fillStyle = context.strokeStyle = style.color;
  context.textBaseline = "middle";
  const middle = y + height / 2;
  if (element.type === "checkbox") {
    context.strokeRect(x + 1, y + 1, width - 2, height - 2);
    if ("checked" in element && element.checked) context.fillText("✓", x + 2, middle);
  } else if (element.type !== "range") {
    const chosen = "selectedOptions" in element ? element.selectedOptions[0]?.text : "";
    const shown = chosen || element.value || element.getAttribute("placeholder") || "";
    context.fillText(shown, x + Number.parseFloat(style.paddingLeft) + 1, middle);
  }
}

/** What of a style is drawn in an SVG. */
const DRAWN = [
  "vector-effect",
  "fill-opacity",
  "stroke-opacity",

  "fill",
  "stroke",
  "stroke-width",
  "stroke-dasharray",
  "opacity",
  "font",
  "text-anchor",
];

/**
 * An SVG of the page as an image.
 * @param {SVGSVGElement} svg
 * @param {DOMRect} box
 */
async function imageOf(svg, box) {
  const copy = /** @type {SVGSVGElement} */ (svg.cloneNode(true));
  const originals = [svg, ...svg.querySelectorAll("*")];
  [copy, ...copy.querySelectorAll("*")].forEach((each, i) => {
    const style = getComputedStyle(originals[i]);
    each.setAttribute("style", DRAWN.map((n) => `${n}:${style.getPropertyValue(n)}`).join(";"));
  });
  copy.setAttribute("width", String(box.width));
  copy.setAttribute("height", String(box.height));
  const image = new Image();
  const text = new XMLSerializer().serializeToString(copy);
  image.src = `data:image/svg+xml,${encodeURIComponent(text)}`;
  await image.decode();
  return image;
}
