// Sweeps above the runs: how far, which trial is best, what mattered. Polls only while it can be seen.
"use strict";
window.studio.mountSweeps = (element, trigger) => {
  const { h, request, remember, charts } = window.studio;
  const root = element.querySelector(".sweeps");
  const cards = new Map();
  const LABELS = { running: "Running", stopping: "Stopping", succeeded: "Done", failed: "Failed", cancelled: "Stopped", queued: "Queued", done: "Done" };
  const trouble = h("div", { class: "notice error", role: "alert", hidden: true });
  root.append(trouble);

  async function act(id, method, path) {
    try {
      await request(`/api/sweeps/${encodeURIComponent(id)}${path}`, method, method === "POST" ? {} : undefined);
      trouble.hidden = true;
    } catch (error) {
      trouble.hidden = false;
      trouble.replaceChildren(h("strong", {}, error.message), h("span", {}, error.hint || ""));
    }
    look();
  }

  function card(sweep) {
    const button = (label, kind, onclick) => h("button", { type: "button", class: `button ${kind}`, onclick }, label);
    const parts = {
      state: h("span"), bar: h("progress", { max: String(sweep.planned), "aria-label": `Trials of ${sweep.name}` }), words: h("p", { class: "fine" }),
      table: h("div", { class: "table", tabindex: "0", role: "region", "aria-label": "Trials" }), chart: h("div", { class: "chart small" }),
      bars: h("div", { class: "chart small" }), waiting: h("p", { class: "waiting" }, "It is told after four trials whose scores differ."), bestWords: h("p", { class: "fine" }),
      use: button("Use the winner's settings", "primary", () => trigger("select", { sweep: sweep.id })),
      compare: button("Compare these runs", "plain", () => remember({ compare: parts.runs.join(",") })),
      stop: button("Stop the sweep", "plain", () => act(sweep.id, "POST", "/stop")),
      remove: button("Forget it", "plain", () => act(sweep.id, "DELETE", "")),
    };
    const scores = h("figure", {}, h("figcaption", {}, h("b", {}, "Score of each trial")), parts.chart);
    parts.mattered = h("figure", {}, h("figcaption", {}, h("b", {}, "What mattered")), parts.waiting, parts.bars);
    parts.charts = h("div", { class: "charts" }, scores, parts.mattered);
    parts.box = h("details", { class: "sweep", open: !sweep.over },
      h("summary", {}, h("b", {}, sweep.name), " ", parts.state, h("small", {}, sweep.dataset)),
      parts.words, parts.bar, parts.charts, parts.table, parts.bestWords,
      h("div", { class: "run-actions" }, parts.use, parts.compare, parts.stop, parts.remove));
    return parts;
  }

  function fill(parts, sweep) {
    const done = sweep.trials.filter((trial) => trial.value !== null);
    parts.state.textContent = LABELS[sweep.state];
    parts.state.className = `state ${sweep.state}`;
    const best = sweep.trials.find((trial) => trial.number - 1 === sweep.best);
    const words = [`${done.length} of ${sweep.planned} trials have a score`, best && `the best is trial ${best.number} with ${best.value.toFixed(3)}`]
      .filter(Boolean).join("; ") + (sweep.message ? `. ${sweep.message}` : "");
    if (parts.words.textContent !== words) parts.words.textContent = words;
    parts.bar.value = sweep.trials.filter((trial) => trial.value !== null || trial.state === "failed").length;
    parts.bar.hidden = sweep.over;
    parts.use.hidden = sweep.best === null;
    parts.runs = sweep.trials.filter((trial) => trial.run).map((trial) => trial.run);
    parts.compare.hidden = parts.runs.length < 2;
    parts.stop.hidden = sweep.over; parts.remove.hidden = !sweep.over;
    parts.bestWords.hidden = sweep.best === null;
    parts.bestWords.textContent = "The best of many trials is partly best by luck. Train its settings: the verdict is given on rows that no trial has seen.";
    const key = JSON.stringify(sweep);
    if (parts.key === key) return;
    parts.key = key;
    const head = ["Trial", sweep.metric.label, ...sweep.parameters, "State"].map((name) => h("th", { scope: "col" }, name));
    const rows = [...sweep.trials].sort((a, b) => (b.value ?? -2) - (a.value ?? -2)).map((trial) => {
      const link = trial.run ? h("a", { href: `/?tab=runs&run=${encodeURIComponent(trial.run)}`, onclick: (event) => { event.preventDefault(); remember({ run: trial.run }); } }, String(trial.number)) : String(trial.number);
      return h("tr", { class: trial.number - 1 === sweep.best ? "best" : "" }, h("td", { "data-label": "Trial" }, link),
        h("td", { "data-label": sweep.metric.label }, trial.value === null ? "" : trial.value.toFixed(4)),
        ...trial.settings.map((value, i) => h("td", { "data-label": sweep.parameters[i] }, value)),
        h("td", { "data-label": "State" }, h("span", { class: `state ${trial.state}` }, LABELS[trial.state] || trial.state)));
    });
    parts.table.replaceChildren(h("table", {}, h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...rows)));
    parts.charts.hidden = done.length < 2;
    parts.charts.classList.toggle("one", sweep.parameters.length < 2);
    parts.mattered.hidden = sweep.parameters.length < 2;
    if (done.length >= 2) charts.draw(parts.chart, { data: [{ type: "scatter", mode: "markers+lines", line: { dash: "dot", width: 1 }, x: done.map((t) => t.number), y: done.map((t) => t.value), role: "main",
      hovertemplate: "trial %{x}: %{y:.4f}<extra></extra>" }], layout: { xaxis: { title: "trial", dtick: 1 }, yaxis: { title: sweep.metric.label } } });
    parts.waiting.hidden = sweep.importance.length >= 2; parts.bars.hidden = sweep.importance.length < 2;
    if (sweep.importance.length >= 2) {
      const shares = [...sweep.importance].reverse();
      charts.draw(parts.bars, { data: [{ type: "bar", orientation: "h", y: shares.map(([name]) => name), x: shares.map(([, share]) => share), role: "main",
        hovertemplate: "%{y}: %{x:.0%}<extra></extra>" }], layout: { xaxis: { title: "share of the differences", tickformat: ".0%", rangemode: "tozero" }, yaxis: {} } });
    }
  }

  async function look() {
    const { sweeps } = await request("/api/sweeps");
    for (const [id, parts] of cards) if (!sweeps.some((sweep) => sweep.id === id)) { parts.box.remove(); cards.delete(id); }
    for (const sweep of sweeps) {
      if (!cards.has(sweep.id)) { cards.set(sweep.id, card(sweep)); root.append(cards.get(sweep.id).box); }
      fill(cards.get(sweep.id), sweep);
    }
  }

  let beat = 0;
  const timer = setInterval(() => {
    if (!root.isConnected) { clearInterval(timer); return; }
    if (document.hidden || root.offsetParent === null) return;
    beat += 1;
    if (beat % 2 === 1) look().catch(() => {});
  }, 1000);
  look().catch(() => {});
};
