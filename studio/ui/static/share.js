// A switch that shows one thing to everybody with an account here: <div class="share" data-share="kind:id">.
"use strict";
window.studio.mountShare = (element) => {
  const { h, request } = window.studio;
  const WORDS = {
    dataset: "Everybody with an account here sees its rows, trains on it and searches its texts. Nobody else changes or deletes it.",
    corpus: "Everybody with an account here may search these texts. Nobody else changes or deletes them.",
  };
  let shown = "";

  async function adopt() {
    const place = element.querySelector("[data-share]");
    const now = place ? place.dataset.share : "";
    if (now === shown) return;
    shown = now;
    if (!now) { place?.replaceChildren(); return; }
    const [kind, id] = now.split(":");
    const path = `/api/share/${encodeURIComponent(kind)}/${encodeURIComponent(id)}`;
    const box = window.studio.toggle("Shared with the lab", WORDS[kind], async (on) => request(path, "POST", { on }));
    place.replaceChildren(box.line);
    try {
      const { lab } = await request(path);
      if (shown === now) box.set(lab);
    } catch (error) {
      box.complain(error);
    }
  }

  new MutationObserver(adopt).observe(element, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-share"] });
  adopt();
};

/** A tick with one sentence of help; `change(on)` sends it, and when that fails the tick goes back and says why. */
window.studio.toggle = (label, help, change) => {
  const { h } = window.studio;
  const said = h("span", { class: "share-said", role: "status" });
  const box = h("input", { type: "checkbox", disabled: true, onchange: async () => {
    const on = box.checked;
    box.disabled = true;
    try {
      await change(on);
      said.textContent = "";
    } catch (error) {
      box.checked = !on;
      complain(error);
    }
    box.disabled = false;
  } });
  function complain(error) {
    said.textContent = `${error.message} ${error.hint || ""}`;
  }
  const line = h("label", { class: "toggle" }, box, h("span", {}, h("b", {}, label), h("small", {}, help), said));
  return { line, complain, set: (on) => { box.checked = on; box.disabled = false; } };
};
