// The page of a host that has a widget manager of its own and a kernel elsewhere: what they have between them.
// VS Code's manager, as it is published, or that of ipywidgets for pages of their own, as Colab's is.

import { KernelManager, ServerConnection } from "@jupyterlab/services";

const VIEW = "application/vnd.jupyter.widget-view+json";

/** What a loader would get from elsewhere is here: `files/<module>.js`, and listed in `asked`. */
globalThis.asked = [];
const registered = new Set();
async function load(module, version) {
  globalThis.asked.push(`${module}@${version}`);
  globalThis.requirejs.config({ paths: { [module]: `${location.origin}/files/${module}` } });
  const loaded = await new Promise((done, failed) => globalThis.requirejs([module], done, failed));
  registered.add(module);
  return loaded;
}

const amd = (...names) =>
  new Promise((done, failed) => globalThis.requirejs(names, (...got) => done(got), failed));

const managers = {
  async vscode(kernel) {
    const { activate } = await import(`${location.origin}/files/vscode.js`);
    activate();
    globalThis.vscIPyWidgets8.load();
    const loader = {
      widgetsRegisteredInRequireJs: registered,
      loadWidgetScript: load,
      errorHandler: (...told) => console.error("a widget was not loaded", ...told.map(String)),
      successHandler() {},
    };
    const { WidgetManager } = globalThis.vscIPyWidgets;
    const manager = new WidgetManager(kernel, document.body, loader, () => {});
    return {
      manager,
      show: async (view, node) => manager.display_view(undefined, view, { node }),
    };
  },

  /** A page of its own around each output, which asks the kernel for the state of what it shows, and no more. */
  async frame(kernel) {
    const [{ HTMLManager }, { shims, put_buffers }] = await amd(
      "@jupyter-widgets/html-manager",
      "@jupyter-widgets/base",
    );
    const comms = new Map();
    class FrameManager extends HTMLManager {
      #asked = new Map();
      get_model(id) {
        if (!this.#asked.has(id)) this.#asked.set(id, this.#ask(id));
        return this.#asked.get(id);
      }
      async #ask(id) {
        const opened = comms.get(id) ?? kernel.createComm(this.comm_target_name, id);
        const comm = new shims.services.Comm(opened);
        const { data, buffers } = await new Promise((done) => {
          comm.on_msg(({ content, buffers }) => {
            if (content.data.method === "update") done({ data: content.data, buffers });
          });
          comm.send({ method: "request_state" }, {});
        });
        put_buffers(data.state, data.buffer_paths ?? [], buffers ?? []);
        const { _model_name, _model_module, _model_module_version } = data.state;
        return this.new_model(
          {
            model_name: _model_name,
            model_module: _model_module,
            model_module_version: _model_module_version,
            model_id: id,
            comm,
          },
          data.state,
        );
      }
    }
    const manager = new FrameManager({ loader: load });
    // Who knows no widgets would have each new one closed. They are asked for when they are shown.
    kernel.registerCommTarget(manager.comm_target_name, (comm) => comms.set(comm.commId, comm));
    return { manager, show: (view, node) => manager.display_view(view, node) };
  },
};

globalThis.open = async (host, id) => {
  const serverSettings = ServerConnection.makeSettings({
    baseUrl: `${location.origin}/`,
    wsUrl: `${location.origin.replace("http", "ws")}/`,
    appendToken: false,
  });
  const kernel = new KernelManager({ serverSettings }).connectTo({ model: { id, name: "python3" } });
  const { manager, show } = await managers[host](kernel);
  /** Run a cell, and show what it displays in an output of its own. */
  globalThis.cell = async (code, output) => {
    const shown = [];
    const future = kernel.requestExecute({ code });
    future.onIOPub = ({ header, content }) => {
      if (header.msg_type === "error") shown.push(Promise.reject(new Error(content.evalue)));
      const data = content.data?.[VIEW];
      if (!data) return;
      shown.push(
        (async () => {
          const model = await manager.get_model(data.model_id);
          await show(await manager.create_view(model), output);
        })(),
      );
    };
    await future.done;
    await Promise.all(shown);
  };
};
