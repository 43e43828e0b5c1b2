// ExampleGrid: one cell over many short examples, each with its label.

import { ExamplePane } from "../view/example_pane.js";
import { hosted } from "../view/host.js";

export default hosted("Example grid", [ExamplePane]);
