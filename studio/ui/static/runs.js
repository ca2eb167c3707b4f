// The Runs tab: the list of runs, and below it the chosen run, a comparison or a leaderboard. Polls only while it can be seen.
"use strict";
window.studio.mountRuns = (element, trigger) => {
  const { h, ids, remember, request } = window.studio;
  const root = element.querySelector(".runs");
  const PHASES = {
    downloading: "Downloading the base model", building: "Building the base model", loading: "Loading the model", "judging base": "Judging the base model", training: "Training",
    "judging tuned": "Judging the tuned model", saving: "Saving", done: "Finishing",
  };
  const detail = h("div", { class: "run-detail", hidden: true });
  const trouble = h("div", { class: "notice error", role: "alert", hidden: true });
  const list = window.studio.runList({ choose: (id) => { complain(null); choose(id); }, compare: (picked) => open({ compare: picked.join(",") }), board: (dataset) => open({ board: dataset }) });
  const side = window.studio.comparison({ open, choose, datasets: list.datasets });
  const trash = window.studio.trashFold();
  root.replaceChildren(trouble, list.element, side.element, detail, trash.element);

  function complain(error) {
    trouble.hidden = !error;
    if (error) trouble.replaceChildren(h("strong", {}, error.message), h("span", {}, error.hint || ""));
  }

  async function listRuns() {
    const shown = await list.refresh();
    const waits = shown.find((run) => run.id === chosen && run.state === "queued");
    if (waits && view) view.placed(waits);
    if (shown.length && !chosen && !ids.compare && !ids.board) choose(shown[0].id);
    root.setAttribute("aria-busy", "false");
  }

  // The chosen run

  let chosen = "";
  let turn = 0; // counts choices: an answer that belongs to an earlier choice is thrown away
  let view = null;

  /** Show a comparison or a leaderboard instead of a run; with neither, the run again. */
  function open({ compare = "", board = "" }) {
    if (ids.compare !== compare || ids.board !== board) remember({ compare, board });
    detail.hidden = Boolean(compare || board) || view === null;
    side.show(compare, board);
    if (!compare && !board && !chosen) listRuns().catch(() => {});
  }

  function choose(id) {
    if (!id) return;
    if (ids.compare || ids.board) open({});
    if (id === chosen) return;
    chosen = id;
    turn += 1;
    view = null;
    list.mark(id);
    if (ids.run !== id) remember({ run: id });
    follow();
  }

  async function refresh(id, mine) {
    const run = await request(`/api/runs/${encodeURIComponent(id)}`);
    if (mine !== turn) return;
    if (view === null) view = window.studio.runView(detail, run, { act, tryInSearch: () => trigger("select", { run: id }) });
    else view.renew(run);
    detail.hidden = Boolean(ids.compare || ids.board);
  }

  async function act(method, path, body) {
    const id = chosen;
    try {
      await request(`/api/runs/${encodeURIComponent(id)}${path}`, method, body);
      complain(null);
      if (method === "DELETE") { forget(); window.studio.offerUndo("run"); trash.refresh(); await listRuns(); return; }
      await refresh(id, turn);
      await listRuns();
      if (view) { view.wake(); follow(); }
    } catch (error) {
      complain(error);
    }
  }

  function forget() {
    chosen = "";
    turn += 1;
    view = null;
    detail.hidden = true;
    remember({ run: "" });
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
      if (error.status === 404 && mine === turn) { complain(error); forget(); }
    } finally {
      following = false;
      if (mine !== turn && chosen) follow();
    }
  }

  window.addEventListener("studio:chosen", ({ detail: now }) => {
    if (now.run && now.run !== chosen) choose(now.run);
    else if (now.compare !== side.compare || now.board !== side.board) open({ compare: now.compare, board: now.board });
  });
  window.addEventListener("studio:restored", ({ detail: back }) => {
    trash.refresh();
    if (back.kind === "run") choose(back.id);
    listRuns().catch(() => {});
  });

  let beat = 0;
  async function tick() {
    if (!root.isConnected) { clearInterval(timer); return; }
    if (document.hidden || root.offsetParent === null) return;
    beat += 1;
    if (!side.compare && !side.board) follow();
    if (beat % 2 === 1) await listRuns().catch(() => {});
    if (beat % 5 === 1) { side.refresh(); trash.refresh(); }
  }
  const timer = setInterval(tick, 1000);
  if (ids.compare || ids.board) open({ compare: ids.compare, board: ids.board });
  else if (ids.run) choose(ids.run);
  tick();
};
