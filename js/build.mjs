// Bundle each widget into one module and one style sheet that the Python package ships.
import { context } from "esbuild";

/** @type {import("esbuild").BuildOptions} */
const options = {
  entryPoints: [
    ...[
      "cell_comparison",
      "cell_finder",
      "cell_grid",
      "dependency_heatmap",
      "example_grid",
      "explorer",
      "gate_inspector",
      "relevance_heatmap",
      "series_plot",
      "state_space",
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
  define: { "define.amd": "false" },
  logLevel: "info",
};

const build = await context(options);
if (process.argv.includes("--watch")) {
  await build.watch();
} else {
  await build.rebuild();
  await build.dispose();
}
