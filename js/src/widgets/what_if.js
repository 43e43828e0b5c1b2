// WhatIf: a text to edit and a cell to hold, over the text that the model makes of it.

import { hosted } from "../view/host.js";
import { TextPane } from "../view/text_pane.js";
import { WhatIfPane } from "../view/what_if_pane.js";

export default hosted("What if", [WhatIfPane, TextPane]);
