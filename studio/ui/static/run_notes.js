// Tags and notes of a run, edited where they stand and kept as soon as they are changed.
"use strict";
window.studio.runNotes = (first) => {
  const { h, request } = window.studio;
  let run = first, tags = [...first.tags], notes = first.notes;
  const chips = h("span", { class: "tags" });
  const input = h("input", { type: "text", id: "run-tag", maxlength: "40", placeholder: "Add a tag", "aria-label": "Add a tag to this run",
    onkeydown: (event) => { if (event.key === "Enter" || event.key === ",") { event.preventDefault(); add(); } }, onblur: add });
  const shown = h("button", { type: "button", class: "run-notes-text", id: "run-notes-edit", onclick: edit });
  const area = h("textarea", { id: "run-notes", rows: "3", maxlength: "10000", hidden: true, "aria-label": "Notes about this run",
    onblur: () => { leave(true); }, onkeydown: (event) => {
      if (event.key === "Escape") { area.value = notes; leave(false); shown.focus(); }
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { leave(true); shown.focus(); }
    } });
  const said = h("small", { class: "fine", role: "status" });
  if (!run.mine) { // somebody else's, to look at
    return h("div", { class: "run-about" }, h("div", { class: "tags" }, ...tags.map((name) => h("span", { class: "tag" }, name))),
      notes ? h("p", { class: "run-notes-text" }, notes) : null);
  }
  const element = h("div", { class: "run-about" }, h("div", { class: "run-tags" }, chips, input, said), shown, area);

  function draw() {
    chips.replaceChildren(...tags.map((name) => h("span", { class: "tag" }, name,
      h("button", { type: "button", "aria-label": `Remove the tag ${name}`, onclick: () => { tags = tags.filter((one) => one !== name); keep(); } }, "×"))));
    shown.textContent = notes || "Add a note";
    shown.classList.toggle("empty", !notes);
    shown.title = notes ? "Change the notes" : "What you want to remember of this run";
  }

  function add() {
    const wanted = input.value.split(",").map((name) => name.trim()).filter(Boolean);
    input.value = "";
    if (!wanted.length) return;
    tags = [...tags, ...wanted];
    keep();
  }

  function edit() {
    area.value = notes;
    shown.hidden = true;
    area.hidden = false;
    area.style.height = `${Math.min(320, Math.max(76, 22 * (notes.split("\n").length + 2)))}px`;
    area.focus();
  }

  function leave(keeps) {
    if (area.hidden) return;
    area.hidden = true;
    shown.hidden = false;
    if (keeps && area.value !== notes) { notes = area.value; keep(); }
  }

  /** What could not be kept stays in sight, so that nothing that was typed is lost. */
  async function keep() {
    draw();
    try {
      await request(`/api/runs/${encodeURIComponent(run.id)}/about`, "PUT", { tags, notes });
      ({ tags, notes } = await request(`/api/runs/${encodeURIComponent(run.id)}`));
      run = { ...run, tags, notes };
      said.textContent = "Kept.";
      setTimeout(() => { said.textContent = ""; }, 2000);
    } catch (error) {
      said.textContent = `Not kept: ${error.message} ${error.hint || ""}`;
    }
    draw();
  }

  draw();
  return element;
};
