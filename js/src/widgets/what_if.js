// WhatIf: a text to edit and a cell to hold, over the text that the model makes of it.

import { TextPane } from "../panes/text/pane.js";
import { WhatIfPane } from "../panes/what_if/pane.js";
import { hosted } from "../ui/hosted.js";

export default hosted("What if", [WhatIfPane, TextPane]);
