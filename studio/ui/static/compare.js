// Several runs side by side, and the leaderboard of a dataset. Each has an address of its own, and both refresh while runs go on.
"use strict";
window.studio.comparison = ({ open, choose, datasets }) => {
  const { h, request, charts } = window.studio;
  const GOING = ["queued", "running", "stopping"];
  const COLOURS = 10;
  const element = h("section", { class: "compare", hidden: true });
  const api = { element, show, refresh, compare: "", board: "" };
  let against = "", metric = "", share = false, shownFor = "", turn = 0, going = false;

  const number = (value) => (value === null || value === undefined ? "" : value.toFixed(3));
  const signed = (value) => (value === null || value === undefined ? "" : `${value >= 0 ? "+" : "\u2212"}${Math.abs(value).toFixed(3)}`);
  const span = (low, high) => (low === null || high === null || low === undefined ? "" : `${signed(low)} to ${signed(high)}`);
  const head = (title, ...actions) => h("div", { class: "run-head" }, h("h3", {}, title), h("div", { class: "run-actions" }, ...actions,
    h("button", { type: "button", class: "button plain", id: "compare-close", onclick: () => open({}) }, "Close")));
  const tip = (words, help) => h("span", { class: "tip", tabindex: "0", "data-tip": help }, words);
  const th = (content, kind) => h("th", { scope: "col", class: kind || null }, content);
  const table = (label, heads, lines, kind) => h("div", { class: `cmp-table ${kind || ""}`, tabindex: "0", role: "region", "aria-label": label },
    h("table", {}, h("thead", {}, h("tr", {}, ...heads)), h("tbody", {}, ...lines)));
  const section = (title, explanation, ...content) => h("div", { class: "cmp-part" }, h("h4", {}, title), explanation ? h("p", { class: "fine" }, explanation) : null, ...content);
  const dot = (colour) => h("i", { class: `dot k${colour % COLOURS}`, "aria-hidden": "true" });
  const link = (id, name) => h("a", { href: `/?tab=runs&run=${encodeURIComponent(id)}`, onclick: (event) => { event.preventDefault(); choose(id); } }, name);

  function show(compare, board) {
    const key = `${compare}|${board}`;
    element.hidden = !compare && !board;
    if (api.compare !== compare) { against = ""; metric = ""; }
    api.compare = compare;
    api.board = board;
    if (element.hidden) { element.replaceChildren(); shownFor = ""; return; }
    if (key === shownFor) return;
    shownFor = key;
    element.replaceChildren(h("p", { class: "fine", role: "status" }, "Reading the runs ..."));
    load();
    element.scrollIntoView({ block: "nearest" });
  }

  function refresh() {
    if (!element.hidden && going) load();
  }

  let drawn = "";
  async function load() {
    const mine = ++turn;
    try {
      const answer = api.compare
        ? await request(`/api/compare?${new URLSearchParams({ runs: api.compare, against })}`)
        : await request(`/api/leaderboards/${encodeURIComponent(api.board)}`);
      if (mine !== turn || element.hidden) return;
      const key = JSON.stringify([api.compare, api.board, against, answer]);
      const runs = Array.isArray(answer.runs) ? answer.runs : Object.values(answer.runs);
      going = runs.some((run) => GOING.includes(run.state));
      if (key === drawn && element.childElementCount > 1) return;
      drawn = key;
      if (api.compare) drawComparison(answer); else drawBoard(answer);
    } catch (error) {
      if (mine !== turn || element.hidden) return;
      going = false;
      element.replaceChildren(head(api.compare ? "Comparison" : "Leaderboard"),
        h("div", { class: "notice error", role: "alert" }, h("strong", {}, error.message), h("span", {}, error.hint || "")));
    }
  }

  // A comparison

  function drawComparison(found) {
    const colour = new Map(found.runs.map((run, i) => [run.id, i]));
    const byId = new Map(found.runs.map((run) => [run.id, run]));
    const query = new URLSearchParams({ runs: api.compare, against });
    const report = h("a", { class: "button plain", id: "compare-report", href: `/download/compare/report.html?${query}`, download: true,
      title: "One file with ranking, plots and settings, to show or to print" }, "Report (HTML)");
    const [first, ...more] = found.sentences;
    const plots = [];
    element.replaceChildren(head(`${found.runs.length} runs side by side`, report),
      ...found.gone.map((words) => h("div", { class: "notice warning", role: "status" }, h("strong", {}, words), h("span", {}, "The others are compared."))),
      h("div", { class: "verdict", id: "compare-sentence" }, h("p", { class: "sentence" }, first), ...more.map((words) => h("p", { class: "fine" }, words))),
      ...found.groups.filter((group, i) => i === 0 || group.runs.length > 1).map((group, i) => ranking(found, group, byId, colour, i === 0, plots)),
      left(found.left, byId), curvesOf(found, colour, plots), settings(found, colour));
    for (const draw of plots) draw();
  }

  function ranking(found, group, byId, colour, isFirst, plots) {
    const label = found.metrics[group.metric];
    const pick = h("select", { "aria-label": "Measure the others against", id: isFirst ? "compare-against" : null, onchange: () => { against = pick.value; load(); } },
      ...group.standings.filter((one) => one.run).map((one) => h("option", { value: one.run }, one.name)));
    const base = group.standings.find((one) => one.name === group.against);
    if (base && base.run) pick.value = base.run; else pick.prepend(h("option", { value: "", selected: true }, group.against));
    const lines = group.standings.map((one) => h("tr", { class: one.run ? (one.place === 1 ? "main" : "") : "base" },
      h("td", { class: "place" }, String(one.place)),
      h("th", { scope: "row" }, one.run ? dot(colour.get(one.run)) : null, one.run ? link(one.run, one.name) : one.name),
      h("td", { class: "n" }, number(one.value)),
      h("td", { class: "n" }, one.run ? h("b", {}, signed(one.change)) : null, one.run ? h("small", {}, span(one.low, one.high)) : null),
      h("td", { class: "n" }, one.name === group.against ? null : h("b", {}, signed(one.difference)),
        one.name === group.against ? null : h("small", {}, one.interval ? span(one.interval.low, one.interval.high) : "interval not known"),
        one.interval && !one.told_apart ? h("em", { class: "unsure", title: "Zero lies in the interval: chance may have made this difference" }, "may be chance") : null)));
    const searched = group.searched ? `, each searched in ${group.searched.toLocaleString("en")} texts` : "";
    const heads = [th(""), th("Model"), th(tip(label.label, label.help), "n"),
      th(tip("To its base model", "Tuned less base on the same held-out rows, with the range that the difference would lie in 95 times of 100 if the rows were drawn again."), "n"),
      th(h("span", { class: "against" }, tip("Difference to", "Both models on the same held-out rows, row by row. Runs that were made before rows were recorded have no interval here."), pick), "n")];
    return section(isFirst ? "Ranking" : `Ranked apart: ${group.dataset}`, `${group.heldout_rows.toLocaleString("en")} held-out rows of ${group.dataset}${searched}.`,
      table("Ranking", heads, lines, "ranking"), intervals(found, group, byId, colour, plots), metricsOf(found, group, byId, colour));
  }

  function intervals(found, group, byId, colour, plots) {
    const runs = group.runs.map((id) => byId.get(id));
    const chart = h("div", { class: "chart", style: `height: ${70 + 34 * runs.length}px` });
    const box = h("select", { "aria-label": "Metric", onchange: () => { metric = box.value; draw(); } },
      ...group.metrics.filter((id) => found.metrics[id]).map((id) => h("option", { value: id }, found.metrics[id].label)));
    box.value = group.metrics.includes(metric) ? metric : group.metric;
    function draw() {
      const narrow = element.clientWidth < 560;
      const rows = runs.map((run) => ({ run, m: run.metrics.find((one) => one.id === box.value) })).filter(({ m }) => m && m.low !== null && m.high !== null).reverse();
      charts.draw(chart, {
        data: rows.map(({ run, m }, i) => ({ type: "scatter", mode: "markers", x: [m.tuned - m.base], y: [i], role: `c${colour.get(run.id) % COLOURS}`, marker: { size: 10 },
          error_x: { type: "data", symmetric: false, array: [m.high - (m.tuned - m.base)], arrayminus: [m.tuned - m.base - m.low], thickness: 2.5, width: 0 },
          hovertemplate: `${signed(m.tuned - m.base)}, between ${signed(m.low)} and ${signed(m.high)}<extra></extra>` })),
        layout: { xaxis: { title: narrow ? "difference" : `difference in ${found.metrics[box.value].label} to the base model`, zeroline: true, zerolinewidth: 2 },
          yaxis: { tickvals: rows.map((_, i) => i), ticktext: rows.map(({ run }) => escaped(short(run.name, narrow ? 16 : 36))), range: [-0.6, rows.length - 0.4], zeroline: false, fixedrange: true },
          shapes: [{ type: "line", x0: 0, x1: 0, yref: "paper", y0: 0, y1: 1, role: "faint" }] },
      });
    }
    plots.push(draw);
    return h("figure", { class: "cmp-figure" }, h("figcaption", {}, h("b", {}, "Against the base model, with 95 % intervals"), box), chart);
  }

  function metricsOf(found, group, byId, colour) {
    const general = group.runs.some((id) => byId.get(id).general && byId.get(id).general.tuned !== null);
    if (group.metrics.length < 2 && !general) return null;
    const heads = [th("All metrics"), ...group.metrics.map((id) => th(found.metrics[id] ? tip(found.metrics[id].label, found.metrics[id].help) : id, "n")),
      ...(general ? [th(tip("General ability", "Questions that have nothing to do with the data (nDCG@10), and the change to the base model: what was forgotten."), "n")] : [])];
    const best = new Map(group.metrics.map((id) => [id, Math.max(...group.runs.map((run) => (byId.get(run).metrics.find((m) => m.id === id) || { tuned: -2 }).tuned))]));
    const lines = group.runs.map((id) => h("tr", {}, h("th", { scope: "row" }, dot(colour.get(id)), byId.get(id).name),
      ...group.metrics.map((name) => {
        const m = byId.get(id).metrics.find((one) => one.id === name);
        return h("td", { class: m && m.tuned === best.get(name) ? "n best" : "n" }, m ? h("b", {}, number(m.tuned)) : "", m ? h("small", {}, span(m.low, m.high)) : null);
      }), general ? ability(byId.get(id).general) : null));
    return table("All metrics", heads, lines);
  }

  function ability(general) {
    if (!general || general.tuned === null) return h("td", { class: "n" }, "\u2013");
    return h("td", { class: "n" }, h("b", {}, number(general.tuned)), h("small", {}, span(general.low, general.high)));
  }

  function curvesOf(found, colour, plots) {
    const primary = found.runs.map((run) => run.curves.primary).find((id) => id);
    const some = found.runs.filter((run) => run.curves.train.step.length);
    if (!some.length) return null;
    const loss = h("div", { class: "chart" }), held = h("div", { class: "chart" });
    const box = h("select", { "aria-label": "What the curves are drawn over", onchange: () => { share = box.value === "share"; draw(); } },
      h("option", { value: "" }, "over steps"), h("option", { value: "share" }, "over the share of the run"));
    box.value = share ? "share" : "";
    const along = (run, steps) => (share && run.curves.steps ? steps.map((step) => (100 * step) / run.curves.steps) : steps);
    const title = share ? "% of the run" : "step";
    const line = (run, points, y, name) => ({ type: "scatter", mode: points.length < 3 ? "lines+markers" : "lines", x: along(run, points), y, name: escaped(run.name),
      role: `c${colour.get(run.id) % COLOURS}`, line: colour.get(run.id) >= COLOURS ? { dash: "dash" } : {}, hovertemplate: `%{y:.4f}<extra>${escaped(name)}</extra>` });
    function draw() {
      charts.draw(loss, { data: some.map((run) => line(run, run.curves.train.step, run.curves.train.loss, run.name)), layout: { xaxis: { title }, yaxis: {} } });
      const looked = some.filter((run) => (run.curves.eval[primary] || []).length);
      heldFigure.hidden = !looked.length;
      if (looked.length) charts.draw(held, { data: looked.map((run) => ({ ...line(run, run.curves.eval.step, run.curves.eval[primary], run.name), mode: "lines+markers" })), layout: { xaxis: { title }, yaxis: {} } });
    }
    const metricLabel = found.metrics[primary] ? found.metrics[primary].label : "Metric";
    const heldFigure = h("figure", {}, h("figcaption", {}, h("b", {}, `${metricLabel} of held-out rows meanwhile`)), held);
    plots.push(draw);
    return section("Curves", null, h("div", { class: "cmp-legend" }, ...some.map((run) => h("span", {}, dot(colour.get(run.id)), run.name)), box),
      h("div", { class: "charts two" }, h("figure", {}, h("figcaption", {}, h("b", {}, "Training loss")), loss), heldFigure));
  }

  function settings(found, colour) {
    const alike = `${found.settings_alike} other settings are the same in all of them.`;
    if (!found.settings.length) return section("Settings that differ", "None: all settings of these runs are the same.");
    const heads = [th("Setting"), ...found.runs.map((run) => th(h("span", {}, dot(colour.get(run.id)), run.name)))];
    const lines = found.settings.map(({ label, values }) => h("tr", {}, h("th", { scope: "row" }, label), ...values.map((value) => h("td", {}, value || "\u2013"))));
    return section("Settings that differ", alike, table("Settings that differ", heads, lines, "settings-table"));
  }

  function left(reasons, byId) {
    const known = Object.entries(reasons);
    if (!known.length) return null;
    return section("Not ranked with these", "Only runs that did the same task on the same held-out rows can be told apart.",
      h("ul", { class: "cmp-left" }, ...known.map(([id, why]) => h("li", {}, link(id, byId.get(id).name), h("span", {}, why)))));
  }

  // A leaderboard

  function drawBoard(found) {
    const names = datasets();
    const pick = h("select", { id: "board-dataset", "aria-label": "Dataset", onchange: () => open({ board: pick.value }) },
      ...names.map(([id, name]) => h("option", { value: id }, name)));
    pick.value = api.board;
    if (pick.value !== api.board) pick.prepend(h("option", { value: api.board, selected: true }, found.groups.length ? found.groups[0].dataset : "This dataset"));
    const byId = new Map(Object.entries(found.runs));
    const best = found.groups.length ? found.groups[0].runs.slice(0, 5) : [];
    const side = best.length < 2 ? null : h("button", { type: "button", class: "button primary", id: "board-compare", onclick: () => open({ compare: best.join(",") }) }, `Compare the first ${best.length}`);
    element.replaceChildren(head("Leaderboard", h("label", { class: "board-pick" }, "Dataset ", pick), side),
      ...(found.groups.length ? found.groups.map((group, i) => boardTable(group, found, i === 0))
        : [h("p", { class: "fine" }, "No run on this dataset was judged yet.")]),
      left(found.left, byId) || "");
  }

  function boardTable(group, found, isFirst) {
    const label = found.metrics[group.metric] || { label: group.metric, help: "" };
    const lines = group.standings.map((one) => h("tr", { class: one.run ? (one.place === 1 ? "main" : "") : "base" },
      h("td", { class: "place" }, String(one.place)),
      h("th", { scope: "row" }, one.run ? link(one.run, one.name) : one.name, ...(one.run ? found.runs[one.run].tags.map((name) => h("span", { class: "tag" }, name)) : [])),
      h("td", { class: "n" }, number(one.value)),
      h("td", { class: "n" }, one.run ? h("b", {}, signed(one.change)) : null, one.run ? h("small", {}, span(one.low, one.high)) : null)));
    const searched = group.searched ? `, each searched in ${group.searched.toLocaleString("en")} texts` : "";
    const heads = [th(""), th("Model"), th(tip(label.label, label.help), "n"), th(tip("To its base model", "Tuned less base on the same held-out rows, with its 95 % interval."), "n")];
    return section(isFirst ? "" : "Judged on other rows", `${group.heldout_rows.toLocaleString("en")} held-out rows${searched}.`, table("Leaderboard", heads, lines, "ranking"));
  }

  const short = (name, most) => (name.length > most ? `${name.slice(0, most - 1)}\u2026` : name);
  /** Plotly reads some HTML in hover texts; names show as themselves. */
  const escaped = (name) => name.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return api;
};
