// Edits by hand: rows of a dataset in pages, each cell a text that opens for writing. Every edit is sent as it is made.
"use strict";
// A link may ask for one row of a dataset: ?tab=data&dataset=...&row=7 opens the fold and shows it.
window.studio.askedRow = (new URLSearchParams(location.search).get("row") || "").replace(/\D/g, "");
window.studio.ready(() => {
  // What is in a fold is made when the fold is opened first, and the fold can be seen once the dataset is there.
  let looks = 0;
  if (!window.studio.askedRow) return;
  const timer = setInterval(() => {
    const fold = document.getElementById("tool-edit");
    const label = fold && fold.offsetParent && fold.querySelector("button");
    if (label) { label.click(); fold.scrollIntoView({ block: "start" }); }
    if (label || (looks += 1) > 100) clearInterval(timer);
  }, 200);
});
window.studio.mountEdit = (element, trigger) => {
  let { askedRow } = window.studio;
  const { h, request } = window.studio;
  const PAGE = 50;
  let id = "";
  let columns = [];
  let rows = [];
  let offset = 0;
  let total = 0;
  let turn = 0; // counts looks: an answer to an earlier one is thrown away

  const said = h("p", { class: "sr", role: "status" });
  const query = h("input", { type: "search", placeholder: "Search in the rows", "aria-label": "Search in the rows", oninput: () => later() });
  const edited = h("input", { type: "checkbox", onchange: () => look(0) });
  const button = (text, run, kind = "plain") => h("button", { type: "button", class: `button ${kind}`, onclick: run }, text);
  const add = button("Add a row", openForm);
  const tools = h("div", { class: "edit-tools" }, query, h("label", {}, edited, "Only edited rows"), add);
  const form = h("form", { class: "edit-form", hidden: true, onsubmit: sendForm });
  const hint = h("p", { class: "fine" });
  const notice = h("div", { class: "notice error", role: "alert", hidden: true });
  const body = h("tbody");
  const head = h("thead");
  const table = h("div", { class: "table edit-table", role: "region", "aria-label": "Rows to edit" }, h("table", {}, head, body));
  const where = h("span", { class: "fine" });
  const earlier = button("Earlier rows", () => look(offset - PAGE));
  const later50 = button("Later rows", () => look(offset + PAGE));
  const tally = h("b");
  const undo = button("Undo", takeBack);
  const discard = button("Discard", throwAway);
  const sure = h("span", { class: "edit-sure", hidden: true }, h("span", {}, "Forget all these edits?"),
    button("Forget them", () => discardAll(), "danger"), button("Keep them", () => { sure.hidden = true; discard.focus(); }));
  const save = button("Save as a new version", keepAll, "primary");
  const root = h("section", { class: "edit-body", "aria-label": "Edit the rows" }, said, tools, form, hint, notice, table,
    h("div", { class: "edit-pager" }, where, earlier, later50), h("div", { class: "edit-end" }, tally, undo, discard, sure, save));

  const place = () => element.querySelector(".edit");

  function complain(error) {
    notice.hidden = !error;
    if (error) notice.replaceChildren(h("strong", {}, error.message), h("span", {}, error.hint || ""));
  }

  const rated = () => columns.find((column) => column.kind !== "text");
  const shown = (value) => (typeof value === "number" ? String(Math.round(value * 1e4) / 1e4) : value);

  // One row

  function line(row) {
    const cells = columns.map((column) => h("td", { "data-label": column.label, class: row.changed.includes(column.name) ? "changed" : "" },
      column.kind === "text" ? textCell(row, column) : ratingCell(row, column)));
    const end = row.dropped
      ? button("Take back", () => act({ do: "keep", row: row.key }), "plain small")
      : button("Leave out", () => act({ do: "drop", row: row.key }), "plain small");
    end.setAttribute("aria-label", `${end.textContent}: row ${row.number}`);
    return h("tr", { "data-key": row.key, tabindex: "-1", class: row.dropped ? "dropped" : "" },
      h("th", { scope: "row", class: "number" }, row.number), ...cells, h("td", { class: "edit-do" }, end));
  }

  function textCell(row, column) {
    if (row.dropped) return h("span", {}, row.values[column.name]);
    return h("button", { type: "button", class: "edit-cell", "aria-label": `Edit ${column.label}, row ${row.number}: ${row.values[column.name].slice(0, 80)}`,
      onclick: ({ currentTarget }) => write(currentTarget, row, column) }, row.values[column.name]);
  }

  function write(cell, row, column) {
    const before = row.values[column.name];
    const area = h("textarea", { "aria-label": `${column.label}, row ${row.number}`, rows: Math.min(10, 1 + Math.ceil(before.length / 40)) });
    area.value = before;
    let closed = false;
    const close = async (keep, refocus) => {
      if (closed) return;
      closed = true;
      const value = area.value.trim();
      if (!keep || value === before) {
        area.replaceWith(cell);
        if (refocus) cell.focus();
        return;
      }
      if (await act({ do: "change", row: row.key, values: { [column.name]: value } }, refocus ? column.name : null)) return;
      closed = false; // refused: the words stay, to be mended
      if (refocus) area.focus();
    };
    area.addEventListener("blur", () => close(true, false));
    area.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Escape") { event.preventDefault(); close(false, true); }
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); close(true, true); }
    });
    cell.replaceWith(area);
    area.focus();
  }

  function ratingCell(row, column) {
    const value = row.values[column.name];
    if (row.dropped) return h("span", {}, shown(value));
    const rate = (to) => act({ do: "change", row: row.key, values: { [column.name]: to } }, null);
    if (column.kind === "label") {
      const choice = (to, text) => h("button", { type: "button", class: "button plain small", "aria-pressed": String(value === to),
        "aria-label": `${text}, row ${row.number}`, onclick: () => rate(to) }, text);
      return h("div", { class: "edit-rate" }, choice(1, "Yes"), choice(0, "No"));
    }
    return h("input", { type: "number", step: "any", min: column.low, max: column.high, value: shown(value),
      "aria-label": `${column.label}, row ${row.number}`, onchange: ({ currentTarget }) => rate(currentTarget.value),
      onkeydown: (event) => { if (event.key !== "Escape") event.stopPropagation(); } });
  }

  function put(row) {
    const here = [...body.children].find((one) => Number(one.dataset.key) === row.key);
    const known = rows.findIndex((one) => one.key === row.key);
    if (known >= 0) rows[known] = row;
    const made = line(row);
    const focused = here === document.activeElement;
    if (here) here.replaceWith(made);
    if (focused) made.focus();
    return made;
  }

  // Rating with the keys: a row has the focus, a key rates it, the next one has the focus

  function move(from, step) {
    const there = step > 0 ? from.nextElementSibling : from.previousElementSibling;
    if (there) there.focus();
    return there;
  }

  body.addEventListener("click", ({ target }) => {
    const row = target.closest("tr");
    if (row && !target.closest("button, input, textarea")) row.focus();
  });

  body.addEventListener("keydown", (event) => {
    const row = event.target.closest("tr");
    if (!row || event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA)$/.test(event.target.tagName)) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      return void move(row, event.key === "ArrowDown" ? 1 : -1);
    }
    const value = rating(event.key.toLowerCase());
    const found = rows.find((one) => one.key === Number(row.dataset.key));
    if (value === null || !found || found.dropped) return;
    event.preventDefault();
    move(row, 1); // at once: the next key is about the next row
    act({ do: "change", row: found.key, values: { [rated().name]: value } }, null);
  });

  function rating(letter) {
    const column = rated();
    if (!column) return null;
    if (column.kind === "label") return { y: 1, n: 0, 1: 1, 0: 0 }[letter] ?? null;
    return /^[0-5]$/.test(letter) ? column.low + (Number(letter) / 5) * (column.high - column.low) : null;
  }

  // What is sent

  function count(answer) {
    tally.textContent = answer.edits || "Nothing edited yet";
    undo.disabled = !answer.steps;
    discard.disabled = !answer.steps;
    save.disabled = !answer.edits;
    if (!answer.steps) sure.hidden = true;
  }

  let busy = Promise.resolve(); // one step after the other, in the order in which they were made

  /** Send one step; whether it was taken. ``column``: the cell to give the focus to afterwards; null: leave it where it is. */
  function act(step, column) {
    const mine = id;
    const sent = busy.then(async () => {
      try {
        const answer = await request(`/api/drafts/${mine}`, "POST", step);
        if (mine !== id) return true;
        complain(null);
        count(answer);
        said.textContent = tally.textContent;
        if (step.do === "add") { query.value = ""; edited.checked = false; await look(0); return true; }
        const made = put(answer.row);
        const cell = column && made.querySelectorAll("td")[columns.findIndex((one) => one.name === column)];
        if (cell) cell.querySelector("button")?.focus();
        else if (column === undefined) made.querySelector(".edit-do button")?.focus();
        return true;
      } catch (error) {
        complain(error);
        return false;
      }
    });
    busy = sent;
    return sent;
  }

  async function takeBack() {
    try {
      const answer = await request(`/api/drafts/${id}/undo`, "POST", {});
      complain(null);
      count(answer);
      said.textContent = `Taken back. ${tally.textContent}`;
      if (answer.row && rows.some((one) => one.key === answer.row.key)) put(answer.row).scrollIntoView({ block: "nearest" });
      else await look(offset);
    } catch (error) {
      complain(error);
    }
  }

  function throwAway() {
    sure.hidden = false;
    sure.querySelector("button").focus();
  }

  async function discardAll() {
    try {
      await request(`/api/drafts/${id}`, "DELETE");
      complain(null);
      await look(offset);
      query.focus();
    } catch (error) {
      complain(error);
    }
  }

  async function keepAll() {
    save.disabled = true;
    said.textContent = save.textContent = "Saving ...";
    try {
      const { dataset } = await request(`/api/drafts/${id}/save`, "POST", {});
      trigger("select", { dataset });
    } catch (error) {
      save.disabled = false;
      complain(error);
    }
    save.textContent = "Save as a new version";
  }

  // A new row

  function openForm() {
    form.hidden = false;
    form.replaceChildren(...columns.map((column) => h("label", {}, h("span", {}, labelOf(column)),
      column.kind === "text" ? h("textarea", { name: column.name, rows: "2" })
        : h("input", { type: "number", name: column.name, step: "any", min: column.low, max: column.high }))),
      h("div", { class: "edit-form-end" }, h("button", { type: "submit", class: "button primary" }, "Add it"),
        button("Cancel", () => { form.hidden = true; add.focus(); })));
    form.noValidate = true; // the server says what is wrong, in one place
    form.querySelector("textarea").focus();
  }

  function labelOf(column) {
    if (column.kind === "label") return `${column.label}: 1 when the texts belong together, 0 when not`;
    return column.kind === "score" ? `${column.label} from ${column.low} to ${column.high}` : column.label;
  }

  async function sendForm(event) {
    event.preventDefault();
    const values = Object.fromEntries([...new FormData(form)]);
    if (await act({ do: "add", values })) { form.hidden = true; add.focus(); }
  }

  // A page of rows

  let waiting = null;
  function later() {
    clearTimeout(waiting);
    waiting = setTimeout(() => look(0), 250);
  }

  async function look(from) {
    clearTimeout(waiting);
    const mine = (turn += 1);
    const asked = new URLSearchParams({ offset: Math.max(0, from), query: query.value, edited: edited.checked });
    try {
      const answer = await request(`/api/drafts/${id}?${asked}`);
      if (mine !== turn) return;
      ({ columns, rows, offset, total } = answer);
      complain(null);
      count(answer);
      head.replaceChildren(h("tr", {}, h("th", { scope: "col", class: "number" }, "Row"),
        ...columns.map((column) => h("th", { scope: "col" }, column.label)), h("th", { scope: "col" }, h("span", { class: "sr" }, "Leave out"))));
      body.replaceChildren(...rows.map(line));
      if (body.firstElementChild) body.firstElementChild.tabIndex = 0;
      const last = Math.min(offset + PAGE, total);
      where.textContent = total ? `${query.value || edited.checked ? "Found: " : "Rows "}${(offset + 1).toLocaleString("en")} to ${last.toLocaleString("en")} of ${total.toLocaleString("en")}`
        : edited.checked ? "No edited rows" : "No row has these words";
      earlier.disabled = offset === 0;
      later50.disabled = last >= total;
      const column = rated();
      hint.textContent = !column ? "Press a text to change it; Enter keeps the change, Escape does not."
        : `Press a text to change it. To rate quickly, press a row beside its texts, then ${column.kind === "label"
          ? "Y (belong together) or N (do not)" : "a key from 0 (least alike) to 5 (most alike)"}: the next row follows.`
          + (column.kind === "score" ? ` Scores are those of your file, from ${column.low} to ${column.high}.` : "");
      root.hidden = false;
    } catch (error) {
      if (mine === turn) { root.hidden = false; complain(error); }
    }
  }

  // A new value makes the element's content anew: take it over whenever the id is another one, or the content is bare.
  let loaded = "";
  function adopt() {
    const here = place();
    if (!here) return;
    const now = here.dataset.edit || "";
    if (now && !here.contains(root)) here.replaceChildren(root);
    if (now === id) return;
    id = now;
    loaded = "";
    root.hidden = true;
    peek();
  }

  /** Rows are asked for when they can be seen: nobody who only looks at a dataset loads them twice. */
  function peek() {
    const here = place();
    if (!id || loaded === id || !here || here.offsetParent === null) return;
    loaded = id;
    query.value = askedRow ? `#${askedRow}` : "";
    askedRow = "";
    edited.checked = false;
    form.hidden = true;
    look(0);
  }

  new MutationObserver(adopt).observe(element, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-edit"] });
  new IntersectionObserver(peek).observe(element);
  adopt();
};
