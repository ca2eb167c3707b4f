// The Runs tab: a table of runs and the chosen one, filled from /api/runs. Polls only while it can be seen.
"use strict";
window.studio.mountRuns = (element, trigger) => {
  const { h, ids, remember, request, duration } = window.studio;
  const root = element.querySelector(".runs");
  const ENDED = ["succeeded", "failed", "cancelled"];
  const PHASES = {
    downloading: "Downloading the base model", building: "Building the base model", loading: "Loading the model", "judging base": "Judging the base model", training: "Training",
    "judging tuned": "Judging the tuned model", saving: "Saving", done: "Finishing",
  };

  const QUEUE = { paused: "The queue is paused by an admin: what runs goes on, nothing more starts.", draining: "The queue takes nothing new: an admin lets it run empty." };

  // The table

  const body = h("tbody");
  const list = h("div", { class: "run-list", role: "region", "aria-label": "All runs", tabindex: "0" },
    h("table", {}, h("thead", {}, h("tr", {}, ...["Run", "State", "Progress", "Time left", "Owner", "Started"].map(
      (name) => h("th", { scope: "col", class: `c-${name.split(" ")[0].toLowerCase()}` }, name)))), body));
  const blank = h("div", { class: "blank", hidden: true }, h("b", {}, "No runs yet"),
    h("p", {}, "Choose a dataset in the Train tab and press Train; the run appears here at once."));
  const detail = h("div", { class: "run-detail", hidden: true });
  const trouble = h("div", { class: "notice error", role: "alert", hidden: true });
  const told = h("div", { class: "notice info", role: "status", hidden: true });
  root.replaceChildren(trouble, told, blank, list, detail);
  const rows = new Map();

  function put(node, text) {
    if (node.textContent !== text) node.textContent = text;
  }

  function complain(error) {
    trouble.hidden = !error;
    if (error) trouble.replaceChildren(h("strong", {}, error.message), h("span", {}, error.hint || ""));
  }

  function row(run) {
    const cells = {
      name: h("b"), dataset: h("small"), state: h("span"), bar: h("progress", { max: "100" }), share: h("small"),
      left: h("td", { class: "c-time" }), owner: h("td", { class: "c-owner" }), started: h("td", { class: "c-started" }),
    };
    const button = h("button", { type: "button", class: "run-name", onclick: () => choose(run.id) }, cells.name, cells.dataset);
    const line = h("tr", { "data-run": run.id, onclick: () => choose(run.id) }, h("td", { class: "c-run" }, button),
      h("td", { class: "c-state" }, cells.state), h("td", { class: "c-progress" }, cells.bar, cells.share),
      cells.left, cells.owner, cells.started);
    return { line, cells, button };
  }

  function share(run) {
    if (run.state === "succeeded") return 100;
    return run.steps ? Math.min(100, Math.round((100 * run.step) / run.steps)) : 0;
  }

  function fill({ line, cells, button }, run) {
    put(cells.name, run.name);
    put(cells.dataset, `${run.dataset} · ${run.base}`);
    put(cells.state, run.state === "queued" && run.position ? `${run.label}, place ${run.position}` : run.label);
    cells.state.className = `state ${run.state}`;
    cells.bar.value = share(run);
    cells.bar.setAttribute("aria-label", `Progress of ${run.name}`);
    put(cells.share, run.steps ? `${run.step.toLocaleString("en")} of ${run.steps.toLocaleString("en")} steps` : "");
    put(cells.left, run.state === "running" ? duration(run.eta_s) : run.state === "queued" && run.starts_in_s > 1 ? `starts in ${duration(run.starts_in_s)}` : "");
    put(cells.owner, run.mine ? run.owner : `${run.owner} (shared)`);
    put(cells.started, when(run.started || run.created));
    line.classList.toggle("chosen", run.id === chosen);
    button.setAttribute("aria-current", run.id === chosen ? "true" : "false");
  }

  function when(text) {
    if (!text) return "";
    const date = new Date(/Z|[+-]\d\d:\d\d$/.test(text) ? text : `${text}Z`);
    const today = date.toDateString() === new Date().toDateString();
    const clock = date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
    return today ? clock : `${date.toLocaleDateString("en-GB", { day: "numeric", month: "short" })} ${clock}`;
  }

  async function listRuns() {
    const { runs, queue } = await request("/api/runs");
    told.hidden = !QUEUE[queue];
    put(told, QUEUE[queue] || "");
    for (const [id, { line }] of rows) if (!runs.some((run) => run.id === id)) { line.remove(); rows.delete(id); }
    runs.forEach((run, position) => {
      if (!rows.has(run.id)) rows.set(run.id, row(run));
      const made = rows.get(run.id);
      if (body.children[position] !== made.line) body.insertBefore(made.line, body.children[position] || null);
      fill(made, run);
    });
    const waits = runs.find((run) => run.id === chosen && run.state === "queued");
    if (waits && view) view.placed(waits);
    blank.hidden = runs.length > 0;
    list.hidden = runs.length === 0;
    if (runs.length && !runs.some((run) => run.id === chosen)) choose(runs[0].id);
    if (!runs.length) { chosen = ""; detail.hidden = true; }
    root.setAttribute("aria-busy", "false");
  }

  // The chosen run

  let chosen = "";
  let turn = 0; // counts choices: an answer that belongs to an earlier choice is thrown away
  let view = null;

  function choose(id) {
    if (!id || id === chosen) return;
    chosen = id;
    turn += 1;
    view = null;
    for (const [runId, made] of rows) {
      made.line.classList.toggle("chosen", runId === id);
      made.button.setAttribute("aria-current", runId === id ? "true" : "false");
    }
    if (ids.run !== id) remember({ run: id });
    follow();
  }

  async function refresh(id, mine) {
    const run = await request(`/api/runs/${encodeURIComponent(id)}`);
    if (mine !== turn) return;
    if (view === null) view = window.studio.runView(detail, run, { act, tryInSearch: () => trigger("select", { run: id }) });
    else view.renew(run);
    detail.hidden = false;
  }

  async function act(method, path, body) {
    const id = chosen;
    try {
      await request(`/api/runs/${encodeURIComponent(id)}${path}`, method, body);
      complain(null);
      if (method === "DELETE") { chosen = ""; turn += 1; detail.hidden = true; remember({ run: "" }); await listRuns(); return; }
      await refresh(id, turn);
      await listRuns();
      if (view) { view.wake(); follow(); }
    } catch (error) {
      complain(error);
    }
  }

  let following = false;
  async function follow() {
    if (following || !chosen) return;
    following = true;
    const mine = turn;
    const id = chosen;
    try {
      if (view === null) await refresh(id, mine);
      if (mine === turn && view && !view.complete) {
        const feed = await request(`/api/runs/${encodeURIComponent(id)}/feed?since=${view.next}`);
        if (mine === turn && view) {
          const changed = view.take(feed, PHASES);
          if (changed) await refresh(id, mine);
        }
      }
    } catch (error) {
      if (error.status === 404 && mine === turn) { chosen = ""; detail.hidden = true; }
    } finally {
      following = false;
      if (mine !== turn && chosen) follow();
    }
  }

  window.addEventListener("studio:chosen", ({ detail: now }) => { if (now.run) choose(now.run); });

  let beat = 0;
  async function tick() {
    if (!root.isConnected) { clearInterval(timer); return; }
    if (document.hidden || root.offsetParent === null) return;
    beat += 1;
    follow();
    if (beat % 2 === 1) await listRuns().catch(() => {});
  }
  const timer = setInterval(tick, 1000);
  if (ids.run) choose(ids.run);
  tick();
};
