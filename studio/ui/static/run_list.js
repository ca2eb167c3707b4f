// The list of runs: looked up by words, dataset, state and tag, a page at a time; runs are picked here to be compared.
"use strict";
window.studio.runList = ({ choose, compare, board }) => {
  const { h, request, duration } = window.studio;
  const PAGE = 50, MOST = 50;
  const QUEUE = { paused: "The queue is paused by an admin: what runs goes on, nothing more starts.", draining: "The queue takes nothing new: an admin lets it run empty." };
  const asked = { words: "", dataset: "", state: "", tag: "", offset: 0 };
  const picked = new Map(); // id -> name, over pages and filters
  const rows = new Map();
  let chosen = "", total = 0, shown = [];

  // What is looked for
  const words = h("input", { type: "search", id: "runs-words", placeholder: "Search name, tags, notes", "aria-label": "Search the runs",
    oninput: () => { clearTimeout(words.waiting); words.waiting = setTimeout(() => ask({ words: words.value }), 250); } });
  const select = (id, all) => {
    const box = h("select", { id: `runs-${id}`, "aria-label": all, onchange: () => ask({ [id]: box.value }) });
    box.all = all;
    return box;
  };
  const dataset = select("dataset", "All datasets"), state = select("state", "All states"), tag = select("tag", "All tags");
  const leader = h("button", { type: "button", class: "button plain", id: "runs-board", onclick: () => board(boardOf()) }, "Leaderboard");
  leader.title = "All runs on a dataset, sorted by the metric that counts";
  const go = h("button", { type: "button", class: "button primary", id: "runs-compare", disabled: true, onclick: () => compare([...picked.keys()]) });
  const clear = h("button", { type: "button", class: "button plain", id: "runs-unpick", hidden: true, onclick: () => { picked.clear(); fillAll(); } }, "Clear");
  const tools = h("div", { class: "run-tools" }, words, dataset, state, tag, h("span", { class: "push" }), leader, clear, go);

  // The table
  const all = h("input", { type: "checkbox", "aria-label": "Pick all runs shown", onchange: () => {
    for (const run of shown) if (all.checked) pick(run); else picked.delete(run.id);
    fillAll();
  } });
  const body = h("tbody");
  const heads = ["Run", "State", "Progress", "Time left", "Owner", "Started"].map((name) => h("th", { scope: "col", class: `c-${name.split(" ")[0].toLowerCase()}` }, name));
  const list = h("div", { class: "run-list", role: "region", "aria-label": "All runs", tabindex: "0" },
    h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col", class: "c-pick" }, all), ...heads)), body));
  const nothing = h("p", { class: "fine", hidden: true, id: "runs-nothing" }, "No run fits. ",
    h("button", { type: "button", class: "text-button", onclick: () => { words.value = ""; ask({ words: "", dataset: "", state: "", tag: "" }); } }, "Show all runs"));
  const where = h("span", { class: "fine", "aria-live": "polite" });
  const back = h("button", { type: "button", class: "button plain small", "aria-label": "Newer runs", onclick: () => ask({ offset: Math.max(0, asked.offset - PAGE) }) }, "Newer");
  const on = h("button", { type: "button", class: "button plain small", "aria-label": "Older runs", onclick: () => ask({ offset: asked.offset + PAGE }) }, "Older");
  const pager = h("div", { class: "run-pager", hidden: true }, where, back, on);
  const blank = h("div", { class: "blank", hidden: true }, h("b", {}, "No runs yet"),
    h("p", {}, "Choose a dataset in the Train tab and press Train; the run appears here at once."));
  const told = h("div", { class: "notice info", role: "status", hidden: true });
  const element = h("div", { class: "run-list-part" }, told, blank, tools, list, nothing, pager);

  function ask(changes) {
    Object.assign(asked, "offset" in changes ? {} : { offset: 0 }, changes);
    return refresh().catch(() => {});
  }

  function put(node, text) {
    if (node.textContent !== text) node.textContent = text;
  }

  function pick(run) {
    if (picked.size < MOST) picked.set(run.id, run.name);
  }

  function row(run) {
    const cells = {
      name: h("b"), dataset: h("small"), tags: h("span", { class: "tags" }), state: h("span"), bar: h("progress", { max: "100" }), share: h("small"),
      left: h("td", { class: "c-time" }), owner: h("td", { class: "c-owner" }), started: h("td", { class: "c-started" }),
    };
    const box = h("input", { type: "checkbox", onchange: () => { if (box.checked) pick(line.run); else picked.delete(run.id); fillAll(); } });
    const button = h("button", { type: "button", class: "run-name", onclick: () => choose(run.id) }, cells.name, cells.dataset);
    const line = h("tr", { "data-run": run.id, onclick: ({ target }) => { if (!target.closest("input, button, .c-pick")) choose(run.id); } },
      h("td", { class: "c-pick" }, h("label", {}, box)), h("td", { class: "c-run" }, button, cells.tags), h("td", { class: "c-state" }, cells.state),
      h("td", { class: "c-progress" }, cells.bar, cells.share), cells.left, cells.owner, cells.started);
    return { line, cells, button, box };
  }

  function share(run) {
    if (run.state === "succeeded") return 100;
    return run.steps ? Math.min(100, Math.round((100 * run.step) / run.steps)) : 0;
  }

  function fill({ line, cells, button, box }, run) {
    line.run = run;
    put(cells.name, run.name);
    put(cells.dataset, `${run.dataset} · ${run.base}`);
    button.title = run.noted;
    if (cells.tags.dataset.tags !== run.tags.join("\n")) {
      cells.tags.dataset.tags = run.tags.join("\n");
      cells.tags.replaceChildren(...run.tags.map((name) => h("button", { type: "button", class: "tag", title: `Show runs with the tag ${name}`, onclick: () => ask({ tag: name }) }, name)));
    }
    put(cells.state, run.state === "queued" && run.position ? `${run.label}, place ${run.position}` : run.label);
    cells.state.className = `state ${run.state}`;
    cells.bar.value = share(run);
    cells.bar.setAttribute("aria-label", `Progress of ${run.name}`);
    put(cells.share, run.steps ? `${run.step.toLocaleString("en")} of ${run.steps.toLocaleString("en")} steps` : "");
    put(cells.left, run.state === "running" ? duration(run.eta_s) : run.state === "queued" && run.starts_in_s > 1 ? `starts in ${duration(run.starts_in_s)}` : "");
    put(cells.owner, run.mine ? run.owner : `${run.owner} (shared)`);
    put(cells.started, when(run.started || run.created));
    box.checked = picked.has(run.id);
    box.disabled = !box.checked && picked.size >= MOST;
    box.setAttribute("aria-label", `Pick ${run.name} to compare`);
    line.classList.toggle("chosen", run.id === chosen);
    button.setAttribute("aria-current", run.id === chosen ? "true" : "false");
  }

  function fillAll() {
    for (const run of shown) fill(rows.get(run.id), run);
    const here = shown.filter((run) => picked.has(run.id)).length;
    all.checked = shown.length > 0 && here === shown.length;
    all.indeterminate = here > 0 && here < shown.length;
    put(go, picked.size ? `Compare ${picked.size}` : "Compare");
    go.disabled = picked.size < 2;
    go.title = picked.size < 2 ? "Pick two runs or more in the list" : "Show the picked runs side by side";
    clear.hidden = picked.size === 0;
  }

  function when(text) {
    if (!text) return "";
    const date = new Date(/Z|[+-]\d\d:\d\d$/.test(text) ? text : `${text}Z`);
    const today = date.toDateString() === new Date().toDateString();
    const clock = date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
    return today ? clock : `${date.toLocaleDateString("en-GB", { day: "numeric", month: "short" })} ${clock}`;
  }

  function offer(box, values) {
    const key = JSON.stringify(values);
    if (box.dataset.values !== key) {
      box.dataset.values = key;
      box.replaceChildren(h("option", { value: "" }, box.all), ...values.map(([value, label]) => h("option", { value }, label)));
    }
    box.value = asked[box.id.replace("runs-", "")];
    box.classList.toggle("used", box.value !== "");
    box.hidden = values.length < 2 && box.value === "";
  }

  let turn = 0; // answers that are overtaken by another question are thrown away
  async function refresh() {
    const mine = ++turn;
    const query = new URLSearchParams({ ...asked, limit: PAGE });
    const page = await request(`/api/runs?${query}`);
    if (mine !== turn) return shown;
    if (asked.offset && asked.offset >= page.total) return ask({ offset: Math.max(0, PAGE * Math.floor((page.total - 1) / PAGE)) });
    ({ total } = page);
    shown = page.runs;
    told.hidden = !QUEUE[page.queue];
    put(told, QUEUE[page.queue] || "");
    for (const [id, { line }] of rows) if (!shown.some((run) => run.id === id)) { line.remove(); rows.delete(id); }
    shown.forEach((run, position) => {
      if (!rows.has(run.id)) rows.set(run.id, row(run));
      const made = rows.get(run.id);
      if (body.children[position] !== made.line) body.insertBefore(made.line, body.children[position] || null);
    });
    const named = new Map();
    for (const [id, name] of page.datasets) named.set(name, [...(named.get(name) || []), id]);
    offer(dataset, page.datasets.map(([id, name]) => [id, named.get(name).length > 1 ? `${name} · ${named.get(name).indexOf(id) + 1}` : name]));
    offer(state, page.states.some(([id]) => ["queued", "running", "stopping"].includes(id)) ? [["active", "Going on"], ...page.states] : page.states);
    offer(tag, page.tags.map((name) => [name, name]));
    tag.hidden = page.tags.length === 0;
    const any = page.states.length > 0, some = shown.length > 0;
    blank.hidden = any;
    tools.hidden = !any;
    list.hidden = !some;
    nothing.hidden = some || !any;
    pager.hidden = total <= PAGE;
    put(where, `${asked.offset + 1} to ${asked.offset + shown.length} of ${total.toLocaleString("en")} runs`);
    back.disabled = asked.offset === 0;
    on.disabled = asked.offset + PAGE >= total;
    fillAll();
    return shown;
  }

  function mark(id) {
    chosen = id;
    fillAll();
  }

  /** Dataset of the leaderboard that is most likely meant. */
  function boardOf() {
    const run = shown.find((one) => one.id === chosen) || shown[0];
    return asked.dataset || (run ? run.dataset_id : "");
  }

  fillAll();
  return { element, refresh, mark, datasets: () => [...dataset.options].filter((o) => o.value).map((o) => [o.value, o.textContent]) };
};
