// A run's fold on sharing: the lab, a demo link, the embeddings service with its keys.
"use strict";
window.studio.runPart({
  id: "sharing",
  title: "Share and serve",
  order: 90,
  wanted: (run) => run.mine && run.downloadable,
  async show(body, run) {
    const { h, request, toggle } = window.studio;
    const path = `/api/runs/${encodeURIComponent(run.id)}`;
    const button = (label, kind, onclick) => h("button", { type: "button", class: `button ${kind}`, onclick }, label);
    const trouble = h("p", { class: "notice error", role: "alert", hidden: true });
    let state;
    try {
      state = await request(`${path}/sharing`);
    } catch (error) {
      body.replaceChildren(h("p", { class: "notice error", role: "alert" }, error.message));
      return;
    }

    /** Try something; what goes wrong is said in the fold. */
    async function attempt(action) {
      trouble.hidden = true;
      try {
        await action();
      } catch (error) {
        trouble.hidden = false;
        trouble.replaceChildren(h("strong", {}, error.message), h("span", {}, error.hint || ""));
      }
    }

    function copier(text) {
      const copy = button("Copy", "plain", async () => {
        try {
          await navigator.clipboard.writeText(text);
          copy.textContent = "Copied";
        } catch {
          copy.previousElementSibling?.select?.();
        }
      });
      return copy;
    }

    const lines = (text) => h("input", { type: "text", readonly: true, value: text, "aria-label": "To copy", onfocus: (event) => event.target.select() });

    // The lab
    const lab = toggle("Shared with the lab",
      "Everybody with an account here sees this run with its verdict (which quotes held-out rows), searches with its model, downloads it and starts from it. Nobody else changes or deletes it.",
      (on) => request(`/api/share/run/${encodeURIComponent(run.id)}`, "POST", { on }));
    lab.set(state.lab);

    // The demo link
    const demo = h("div", { class: "share-box" });
    function showDemo() {
      if (state.demo) {
        const corpus = state.corpora.find((one) => one.id === state.demo.corpus);
        const address = new URL(`.${state.demo.path}`, location.href).href;
        demo.replaceChildren(
          h("p", {}, "On: whoever has this link searches ", h("b", {}, corpus ? corpus.name : "the texts"), " with both models, without an account."),
          h("div", { class: "copy-line" }, lines(address), copier(address),
            h("a", { class: "button plain", href: state.demo.path, target: "_blank", rel: "noopener" }, "Open"),
            button("Switch off", "plain", () => attempt(async () => {
              await request(`${path}/demo`, "DELETE");
              state.demo = null;
              showDemo();
            }))));
        return;
      }
      if (!state.corpora.length) {
        demo.replaceChildren(h("p", { class: "fine" }, "Choose texts in the Search tab first: a demo needs something to search."));
        return;
      }
      const pick = h("select", { "aria-label": "Texts to search" }, ...state.corpora.map((one) =>
        h("option", { value: one.id }, `${one.name} (${one.rows.toLocaleString("en")} texts)`)));
      demo.replaceChildren(h("div", { class: "copy-line" }, pick, button("Make a link", "primary", () => attempt(async () => {
        const made = await request(`${path}/demo`, "POST", { corpus: pick.value });
        state.demo = { path: made.path, corpus: pick.value };
        showDemo();
      }))));
    }
    showDemo();

    // The embeddings service
    const snippet = h("pre", { class: "snippet", tabindex: "0", "aria-label": "How a program asks" });
    const serve = toggle("Answer at /v1/embeddings", "Programs that speak to OpenAI's embeddings get this model's vectors, with one of your keys.",
      async (on) => { await request(`${path}/serve`, "POST", { on }); state.api = on; showSnippet(); });
    serve.set(state.api);
    function showSnippet() {
      snippet.hidden = !state.api;
      snippet.textContent = [
        "from openai import OpenAI", "",
        `client = OpenAI(base_url="${new URL("./v1", location.href).href}", api_key="sk-studio-...")`,
        `answer = client.embeddings.create(model="${run.id}", input=["a text", "another one"])`,
      ].join("\n");
    }
    showSnippet();

    const keys = h("ul", { class: "keys" });
    const fresh = h("div", { class: "share-box", hidden: true });
    const name = h("input", { type: "text", placeholder: "What is it for?", maxlength: "60", "aria-label": "Name of the key" });
    function showKeys() {
      keys.replaceChildren(...state.keys.map((key) => h("li", {}, h("b", {}, key.name),
        h("span", { class: "fine" }, key.used ? `used ${day(key.used)}` : "never used"),
        button("Revoke", "plain", () => attempt(async () => {
          await request(`/api/keys/${encodeURIComponent(key.id)}`, "DELETE");
          state.keys = state.keys.filter((one) => one.id !== key.id);
          showKeys();
        })))));
      keys.hidden = !state.keys.length;
    }
    const day = (text) => new Date(text).toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
    const make = button("Make a key", "plain", () => attempt(async () => {
      const { secret, ...key } = await request("/api/keys", "POST", { name: name.value.trim() });
      state.keys = [key, ...state.keys];
      name.value = "";
      fresh.hidden = false;
      fresh.replaceChildren(h("p", {}, h("b", {}, "Copy it now: "), "it is shown this once and cannot be looked up again."),
        h("div", { class: "copy-line" }, lines(secret), copier(secret)));
      showKeys();
    }));
    showKeys();

    body.replaceChildren(...[
      trouble,
      state.has_lab ? h("section", {}, lab.line) : null,
      h("section", {}, h("h4", {}, "Demo link"), h("p", { class: "fine" }, "A search page of its own on this model and one corpus. Nothing else here is reached from it."), demo),
      h("section", {}, h("h4", {}, "For programs"), serve.line, snippet),
      h("section", {}, h("h4", {}, "Your keys"), h("p", { class: "fine" }, "They open every model that answers to you, and nothing else."), fresh, keys,
        h("div", { class: "copy-line" }, name, make)),
    ].filter(Boolean));
  },
});
