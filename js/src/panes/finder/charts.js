// Small charts: steps over an axis, with places marked. They stretch to the room that they have.

import { element } from "../../lib/dom.js";

const SVG = "http://www.w3.org/2000/svg";

/**
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @param {Node[]} children
 */
function shape(tag, attributes, children = []) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}

/**
 * The steps of a histogram, 100 wide and 100 high, y downwards.
 * @param {number[]} heights from 0 to 1
 */
export function steps(heights) {
  const width = 100 / heights.length;
  const round = (/** @type {number} */ number) => Number(number.toFixed(2));
  const each = heights.map(
    (height, i) => `V${round(100 - 100 * height)}H${round((i + 1) * width)}`,
  );
  return `M0 100${each.join("")}V100Z`;
}

/**
 * Heights that make histograms of different size comparable: shares of each, over the largest share.
 * @param {number[][]} all
 */
export function shares(all) {
  const totals = all.map((counts) => counts.reduce((sum, count) => sum + count, 0) || 1);
  const each = all.map((counts, i) => counts.map((count) => count / totals[i]));
  const most = Math.max(...each.flat()) || 1;
  return each.map((counts) => counts.map((count) => count / most));
}

/** So many strengths of colour tell how many timesteps are in a bin. */
const STRENGTHS = 5;

/**
 * The squares of a scatter by how many timesteps they have, 100 wide and 100 high, y upwards: a path each.
 * @param {number[][]} counts by column from the left, and row from below
 */
export function squares(counts) {
  const most = Math.log1p(Math.max(...counts.flat()));
  const paths = new Array(STRENGTHS).fill("");
  const [wide, high] = [100 / counts.length, 100 / counts[0].length];
  const round = (/** @type {number} */ number) => Number(number.toFixed(2));
  counts.forEach((column, x) => {
    column.forEach((count, y) => {
      if (count === 0) return;
      const strength = Math.ceil((STRENGTHS * Math.log1p(count)) / most) - 1;
      const top = round(100 - (y + 1) * high);
      paths[strength] +=
        `M${round(x * wide)} ${top}h${round(wide)}v${round(high)}h${round(-wide)}z`;
    });
  });
  return paths;
}

/**
 * @param {object} what
 * @param {string} what.name for those who don't see it
 * @param {string} what.title
 * @param {import("../../data/evidence.js").Scatter} what.points
 * @param {string[]} what.across at the left end, the middle and the right end
 * @param {string[]} what.up at the top and at the bottom
 */
export function scatterChart({ name, title, points, across, up }) {
  const [low, high] = points.values;
  const { counts, means } = points;
  const line = means
    .flatMap((mean, x) =>
      mean === null
        ? []
        : [`${(100 * (x + 0.5)) / means.length} ${(100 * (high - mean)) / (high - low)}`],
    )
    .join("L");
  const drawn = shape(
    "svg",
    { viewBox: "0 0 100 100", preserveAspectRatio: "none", role: "img", "aria-label": name },
    [
      ...squares(counts).map((d, i) =>
        shape("path", { class: "lw-point", "fill-opacity": (i + 2) / (STRENGTHS + 1), d }),
      ),
      ...(line ? [shape("path", { class: "lw-mean", d: `M${line}` })] : []),
    ],
  );
  return element("figure", { class: "lw-chart lw-scatter" }, [
    element("figcaption", {}, [title]),
    element(
      "div",
      { class: "lw-up", "aria-hidden": "true" },
      up.map((tick) => element("span", {}, [tick])),
    ),
    drawn,
    element(
      "div",
      { class: "lw-ticks", "aria-hidden": "true" },
      across.map((tick) => element("span", {}, [tick])),
    ),
  ]);
}

/**
 * @param {object} what
 * @param {string} what.name for those who don't see it
 * @param {string} what.title
 * @param {[string, number[]][]} what.series the class of each, and its counts
 * @param {[number, number]} what.range at the ends of the axis
 * @param {string[]} what.ticks at the left end, the middle and the right end
 * @param {[name: string, at: number, text: string][]} what.marks the class of each, where, and what it says
 */
export function chart({ name, title, series, range: [low, high], ticks, marks }) {
  const heights = shares(series.map(([, counts]) => counts));
  const place = (/** @type {number} */ at) => (100 * (at - low)) / (high - low);
  const drawn = shape(
    "svg",
    { viewBox: "0 0 100 100", preserveAspectRatio: "none", role: "img", "aria-label": name },
    [
      ...series.map(([kind], i) => shape("path", { class: kind, d: steps(heights[i]) })),
      ...marks.map(([kind, at]) =>
        shape("line", { class: kind, x1: place(at), x2: place(at), y1: 0, y2: 100 }),
      ),
    ],
  );
  const labels = marks.map(([kind, at, text]) => {
    const label = element("span", { class: kind }, [text]);
    const x = place(at);
    // On the side where there is room.
    if (x > 50) label.style.right = `${100 - x}%`;
    else label.style.left = `${x}%`;
    return label;
  });
  return element("figure", { class: "lw-chart" }, [
    element("figcaption", {}, [title]),
    element("div", { class: "lw-marks", "aria-hidden": "true" }, labels),
    drawn,
    element(
      "div",
      { class: "lw-ticks", "aria-hidden": "true" },
      ticks.map((tick) => element("span", {}, [tick])),
    ),
  ]);
}
