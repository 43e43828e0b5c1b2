// Bundle each widget into one module and one style sheet that the Python package ships.
import { context } from "esbuild";

/** What sources call hundreds of times: bundles call it by names that can be made short. */
const SHORT = [
  ...["abs", "ceil", "floor", "max", "min", "round"].map((name) => ["Math", name]),
  ...["isFinite", "isNaN"].map((name) => ["Number", name]),
  ["Array", "from"],
  ...["entries", "values"].map((name) => ["Object", name]),
  ["JSON", "stringify"],
];
const GLOBALS = [
  ...["Float32Array", "Int32Array", "Uint8Array", "Uint32Array"],
  ...["Map", "Number", "Set", "String", "document"],
];

/**
 * Members that only our own sources name: they are made short, too. None may be a name of the DOM, or one
 * that Python sends (tests/test_bundle.py).
 */
const OWN = [
  ...["addCoded", "announce", "bins", "brush", "clips", "codes", "coarse", "coloured"],
  ...["describe", "dispose", "everyTrack", "faded", "foreground", "gate", "hovered"],
  ...["legend", "meanMagnitude", "menus", "onArrival", "notice", "onReply", "onZoom"],
  ...["overviewLevel", "panes", "passage", "pointing", "preferredHeight", "probabilities"],
  ...[
    "pixel",
    "quietBelow",
    "ramp",
    "readout",
    "resizing",
    "rowOf",
    "schedule",
    "scroller",
    "settle",
  ],
  ...["sliders", "spacer", "square", "statistics", "tile", "warning", "wholeHeight"],
];

/** @type {import("esbuild").BuildOptions} */
const options = {
  entryPoints: [
    ...[
      "cell_finder",
      "cell_grid",
      "dependency_heatmap",
      "example_grid",
      "explorer",
      "gate_inspector",
      "relevance_heatmap",
      "text_heatmap",
      "what_if",
    ].flatMap((name) => [
      { in: `src/widgets/${name}.js`, out: name },
      { in: `src/widgets/${name}.css`, out: name },
    ]),
    { in: "src/host/page.js", out: "page" },
  ],
  outdir: "../lstm_widgets/static",
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  // As they are: an escaped character takes twice the bytes.
  charset: "utf8",
  // No splitting: a widget is loaded from a Blob URL, from which relative chunks cannot be found.
  // No AMD: a UMD dependency would find the page's RequireJS instead of its exports.
  define: {
    "define.amd": "false",
    undefined: "short_undefined",
    ...Object.fromEntries(SHORT.map(([of, name]) => [`${of}.${name}`, `short_${name}`])),
    ...Object.fromEntries(GLOBALS.map((name) => [name, `short_${name}`])),
  },
  inject: ["src/short.js"],
  mangleProps: new RegExp(`^(${OWN.join("|")})$`),
  logLevel: "info",
};

const build = await context(options);
if (process.argv.includes("--watch")) {
  await build.watch();
} else {
  await build.rebuild();
  await build.dispose();
}
