// ExampleGrid: one cell over many short examples, each with its label.

import { ExamplePane } from "../panes/examples/pane.js";
import { hosted } from "../ui/hosted.js";

export default hosted("Example grid", [ExamplePane]);
