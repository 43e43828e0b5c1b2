// What runs a saved page: it reads the state that stands in the page, and is the widget's host. The page
// itself is made by lstm_widgets/widgets/page/export.py.

import { pageModels, unpack } from "./page_model.js";

/**
 * @param {() => any | Promise<any>} widget what a widget's module exports
 */
export default async function open(widget) {
  const el = /** @type {HTMLElement} */ (document.getElementById("widget"));
  try {
    const state = /** @type {HTMLElement} */ (document.getElementById("state"));
    /** Of the widget, and of those within it by their names. @type {Record<string, Record<string, any>>} */
    const values = JSON.parse(state.textContent ?? "");
    /** @type {NodeListOf<HTMLElement>} */
    const held = document.querySelectorAll("script[data-trait]");
    for (const script of held) {
      const { of = "", trait = "" } = script.dataset;
      values[of][trait] = await unpack(script.textContent ?? "");
      script.remove(); // the page need not hold them twice
    }
    const model = pageModels(values);
    const { initialize, render } = await widget();
    await initialize?.({ model });
    el.replaceChildren();
    await render({ model, el });
  } catch (error) {
    el.textContent = `This page could not be opened: ${error instanceof Error ? error.message : error}`;
    throw error;
  }
}
