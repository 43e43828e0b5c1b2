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
const CLASSES = ["Float32Array", "Int32Array", "Uint8Array", "Uint32Array"];

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
    { in: "src/export/page.js", out: "page" },
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
    ...Object.fromEntries(SHORT.map(([of, name]) => [`${of}.${name}`, `short_${name}`])),
    ...Object.fromEntries(CLASSES.map((name) => [name, `short_${name}`])),
  },
  inject: ["src/short.js"],
  logLevel: "info",
};

const build = await context(options);
if (process.argv.includes("--watch")) {
  await build.watch();
} else {
  await build.rebuild();
  await build.dispose();
}
