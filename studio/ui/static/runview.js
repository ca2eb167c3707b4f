// One run: what it does, its curves, how it ended. Everything that people or files say is set as text.
"use strict";
window.studio.runView = (place, first, { act, tryInSearch }) => {
  const { h, request, duration, charts } = window.studio;
  const ENDED = ["succeeded", "failed", "cancelled"];
  let run = first;
  let smoothing = Number(localStorage.getItem("studio.smoothing") ?? 0.6);
  let metric = null;
  const history = { train: {}, eval: {}, base: {}, metrics: [], primary: null, steps: run.steps };
  const view = { next: 0, complete: false, take, renew, wake, placed };

  // Heading, state, buttons
  const title = h("h3", {}, run.name);
  const state = h("span");
  const about = h("p", { class: "fine" }, `${run.dataset} · from ${run.base} · ${run.loss}${run.mine ? "" : ` · shared by ${run.owner}, to look at and to search with`}`);
  const button = (label, kind, onclick) => h("button", { type: "button", class: `button ${kind}`, onclick }, label);
  const stop = button("Stop", "plain", () => act("POST", "/stop", { keep: false }));
  const keep = button("Stop and keep", "plain", () => act("POST", "/stop", { keep: true }));
  keep.title = "Stop now, then save and judge the model as it is";
  const hurry = button("Move to the front", "plain", () => act("POST", "/first"));
  hurry.title = "It starts before your other waiting runs; those of others are not touched";
  const resume = button("Resume", "plain", () => act("POST", "/resume"));
  const remove = button("Delete", "plain", () => act("DELETE", ""));
  const search = button("Try it in search", "primary", tryInSearch);
  const download = h("a", { class: "button plain", href: `/download/runs/${encodeURIComponent(run.id)}.zip`, download: true }, "Download model (zip)");
  const script = h("a", { href: `/download/runs/${encodeURIComponent(run.id)}/script.zip`, download: true, id: "run-script",
    title: "The same training as a Python script that needs only sentence-transformers, with its rows" }, "Python script with its rows (zip)");
  stop.id = "run-stop"; keep.id = "run-stop-keep"; resume.id = "run-resume"; remove.id = "run-delete";
  search.id = "run-search"; download.id = "run-download";
  const report = h("a", { class: "button plain", href: `/download/runs/${encodeURIComponent(run.id)}/report.html`, download: true, id: "run-report",
    title: "One file with verdict, plots, data and settings, to show or to print" }, "Report (HTML)");
  const actions = h("div", { class: "run-actions" }, hurry, keep, stop, resume, report, remove);
  const status = h("p", { class: "run-status", id: "run-status" });
  const spoken = h("p", { class: "sr", "aria-live": "polite" });
  const bar = h("progress", { max: "100", "aria-label": "Progress of this run" });
  const verdict = h("div", { class: "verdict-place" });
  const notes = h("ul", { class: "run-notes" });

  // Curves
  const slider = h("input", { type: "range", min: "0", max: "0.95", step: "0.05", value: String(smoothing), id: "run-smoothing",
    oninput: () => { smoothing = Number(slider.value); localStorage.setItem("studio.smoothing", slider.value); drawLoss(); } });
  const pick = h("select", { id: "run-metric", "aria-label": "Metric", hidden: true, onchange: () => { metric = pick.value; drawMetric(); } });
  const chart = (id, name, control) => {
    const plot = h("div", { class: "chart", id });
    const waiting = h("p", { class: "waiting" });
    return { plot, waiting, figure: h("figure", {}, h("figcaption", {}, h("b", {}, name), control || null), waiting, plot) };
  };
  const loss = chart("chart-loss", "Loss", h("label", { class: "smooth" }, "Smoothing ", slider));
  const held = chart("chart-metric", h("span", { class: "tip", tabindex: "0", "data-tip": run.looks.help }, run.looks.title), pick);
  const rate = chart("chart-rate", "Learning rate");
  const curves = h("div", { class: "charts" }, loss.figure, held.figure, rate.figure);

  // Folds below the verdict; each is a file of its own that has registered itself
  const folds = window.studio.runParts.map((part) => {
    const body = h("div", { class: "run-part" });
    const summary = h("summary");
    const fold = h("details", { id: `run-part-${part.id}`, ontoggle: fill }, summary, body);
    let filledFor = null;
    function fill() {
      const now = JSON.stringify([run.state, run.verdict]);
      if (!fold.open || fold.hidden || filledFor === now) return;
      filledFor = now;
      body.replaceChildren();
      part.show(body, run);
    }
    return { fold, renew() {
      fold.hidden = !part.wanted(run) || (!run.mine && !part.shared);
      const title = typeof part.title === "function" ? part.title(run) : part.title;
      if (summary.textContent !== title) summary.textContent = title;
      fill();
    } };
  });

  // Log and settings
  const log = h("pre", { tabindex: "0", "aria-label": "Log" });
  const logBox = h("details", { id: "run-log", ontoggle: () => showLog() }, h("summary", {}, "Log"), log);
  const settings = h("details", { id: "run-config" }, h("summary", {}, "Settings"),
    h("dl", { class: "settings" }, ...run.settings.map(([label, value]) => h("div", {}, h("dt", {}, label), h("dd", {}, value)))),
    h("p", { class: "downloads" }, "Download: ", h("a", { href: `/download/runs/${encodeURIComponent(run.id)}/config.yaml`, download: true, id: "run-yaml" }, "settings (YAML)"),
      h("a", { href: `/download/runs/${encodeURIComponent(run.id)}/config.json`, download: true }, "settings (JSON)"), script));

  place.replaceChildren(
    h("div", { class: "run-head" }, h("div", {}, h("div", { class: "run-title" }, title, state), about), actions), ...(run.mine ? [window.studio.runNotes(run)] : []),
    h("div", { class: "run-now" }, status, bar), spoken, verdict, h("div", { class: "run-parts" }, ...folds.map((each) => each.fold)), curves, notes, settings, logBox);
  place.dataset.run = run.id;

  async function showLog() {
    if (!logBox.open) return;
    const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 20;
    log.textContent = (await request(`/api/runs/${encodeURIComponent(run.id)}/log`).catch(() => "")) || "Nothing written yet.";
    if (atEnd) log.scrollTop = log.scrollHeight;
  }

  function renew(now) {
    run = now;
    state.textContent = run.label;
    state.className = `state ${run.state}`;
    const over = ENDED.includes(run.state);
    stop.hidden = over || !run.mine;
    stop.disabled = run.state === "stopping";
    keep.hidden = !run.mine || !(run.state === "running" && run.phase === "training" && run.step > 0);
    hurry.hidden = !(run.mine && run.state === "queued" && run.position > 1);
    resume.hidden = !run.resumable;
    remove.hidden = !over || !run.mine;
    logBox.hidden = !run.mine;
    report.hidden = !over;
    script.hidden = !run.has_script;
    bar.hidden = over;
    showEnd();
    for (const each of folds) each.renew();
  }

  /** A waiting run's place may have changed; `row` is as the list of runs has it. */
  function placed(row) {
    Object.assign(run, { position: row.position, starts_in_s: row.starts_in_s, message: row.message });
    hurry.hidden = !(run.mine && run.position > 1);
  }

  function wake() {
    view.complete = false;
    view.next = 0;
  }

  // How it ended
  let shownEnd = "";
  function showEnd() {
    const key = JSON.stringify([run.state, run.verdict, run.message, run.hint]);
    if (key === shownEnd) return;
    shownEnd = key;
    if (run.state === "failed") {
      verdict.replaceChildren(h("div", { class: "notice error" }, h("strong", {}, run.message || "The run failed."), h("span", {}, run.hint || "")));
      return;
    }
    if (!run.verdict) {
      const said = run.state === "cancelled" ? run.message || "The run was stopped; no model was kept." : "";
      verdict.replaceChildren(...(said ? [h("div", { class: "notice info" }, h("strong", {}, said), h("span", {}, run.hint || ""))] : []));
      return;
    }
    const early = run.message && run.message !== run.verdict.sentence;
    verdict.replaceChildren(...(early ? [h("p", { class: "ended-early" }, run.message)] : []), card(run.verdict));
  }

  function card(v) {
    const number = (value) => value.toFixed(3);
    const signed = (value) => `${value >= 0 ? "+" : "\u2212"}${Math.abs(value).toFixed(3)}`;
    const lines = v.metrics.map((m) => h("tr", { class: m.primary ? "main" : "" },
      h("th", { scope: "row" }, m.help ? h("span", { class: "tip", tabindex: "0", "data-tip": m.help }, m.label) : m.label),
      h("td", {}, number(m.base)), h("td", {}, number(m.tuned)),
      h("td", {}, h("b", {}, signed(m.tuned - m.base)), h("small", {}, ` ${signed(m.low)} to ${signed(m.high)}`)),
      v.keyword ? h("td", {}, m.keyword === null ? "\u2013" : number(m.keyword)) : null));
    const where = v.corpus_size ? `, each searched in ${v.corpus_size.toLocaleString("en")} texts` : "";
    return h("section", { class: `verdict ${v.outcome}`, id: "run-verdict" },
      h("span", { class: "outcome" }, v.label), h("p", { class: "sentence" }, v.sentence),
      h("div", { class: "run-actions" }, run.downloadable ? search : null, run.downloadable ? download : null),
      h("div", { class: "verdict-table" }, h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Metric"), h("th", { scope: "col" }, "Base"),
        h("th", { scope: "col" }, "Tuned"), h("th", { scope: "col" },
          h("span", { class: "tip", tabindex: "0", "data-tip": "If the rows had been drawn again, the difference would lie in this range 95 times of 100." }, "Difference (95 % interval)")), v.keyword ? h("th", { scope: "col" }, h("span", { class: "tip", tabindex: "0",
          "data-tip": "BM25 finds texts that have the words of the question. It needs no model: what does not beat it is not worth its cost." }, "Keyword search")) : null)), h("tbody", {}, ...lines))),
      v.keyword ? h("p", { class: "fine", id: "run-keyword" }, v.keyword) : null,
      examples(v.now_right, "Questions that it now gets right"), examples(v.now_wrong, "Questions that it now gets wrong"),
      v.others && v.others.length ? h("div", { class: "verdict-table" }, h("table", {}, h("thead", {}, h("tr", {},
        ...["Trained along", "Metric", "Base", "Tuned", "Difference (95 % interval)"].map((title) => h("th", { scope: "col" }, title)))),
      h("tbody", {}, ...v.others.map((one) => h("tr", {}, h("th", { scope: "row" }, one.name), h("td", {}, one.label),
        h("td", {}, number(one.base)), h("td", {}, number(one.tuned)),
        h("td", {}, h("b", {}, signed(one.tuned - one.base)), h("small", {}, ` ${signed(one.low)} to ${signed(one.high)}`))))))) : null,
      v.general ? h("p", { class: "fine", id: "run-general" }, v.general.sentence) : null,
      v.advice.length ? h("ul", { class: "advice" }, ...v.advice.map((words) => h("li", {}, words))) : null,
      h("p", { class: "fine" }, `Judged on ${v.heldout_rows.toLocaleString("en")} rows that training never saw${where}. ${v.split_note}`),
      v.note ? h("p", { class: "fine" }, v.note) : null);
  }

  /** Held-out queries that changed sides, folded away. */
  function examples(queries, title) {
    if (!queries || !queries.length) return null;
    return h("details", { class: "examples" }, h("summary", {}, title), h("ul", {}, ...queries.map((words) => h("li", {}, words))));
  }

  // The feed
  let lastSpoken = 0;
  let lastPhase = "";
  let logBeat = 0;

  /** Take one answer of the feed; true when the run's state or phase is not what is shown. */
  function take(feed, phases) {
    if (feed.reset) { history.train = {}; history.eval = {}; }
    const fresh = append(history.train, feed.train) + append(history.eval, feed.eval);
    Object.assign(history, { base: feed.base || {}, metrics: feed.metrics || [], primary: feed.primary, steps: feed.steps || history.steps });
    view.next = feed.next;
    const over = ENDED.includes(feed.state);
    say(feed, phases, over);
    if (feed.notes && feed.notes.length) {
      if (feed.reset) notes.replaceChildren();
      notes.append(...feed.notes.map((note) => h("li", { class: note.severity }, note.message)));
    }
    if (fresh || feed.reset) { offerMetrics(); drawLoss(); drawMetric(); drawRate(); } else words(over);
    if (logBox.open && (logBeat += 1) % 3 === 0) showLog();
    const changed = feed.state !== run.state || feed.phase !== run.phase || (feed.step > 0) !== (run.step > 0);
    view.complete = over && !changed;
    if (view.complete) showLog();
    return changed;
  }

  function append(into, from) {
    for (const [name, values] of Object.entries(from || {})) (into[name] ??= []).push(...values);
    return from && from.step ? from.step.length : 0;
  }

  function say(feed, phases, over) {
    const parts = [];
    if (feed.state === "queued") parts.push(...waiting());
    else if (feed.state === "stopping") parts.push("Stopping");
    else if (!over) parts.push(phases[feed.phase] || "Starting");
    if (!over && feed.phase === "downloading" && feed.download) parts.push(`${megabytes(feed.download.done)} of ${megabytes(feed.download.total)}`);
    if (!over && feed.phase === "training" && feed.steps) parts.push(`step ${feed.step.toLocaleString("en")} of ${feed.steps.toLocaleString("en")}`);
    if (!over && feed.rows_per_s && feed.phase === "training") parts.push(`${feed.rows_per_s >= 10 ? Math.round(feed.rows_per_s) : feed.rows_per_s.toFixed(1)} rows a second`);
    if (!over && feed.eta_s) parts.push(`about ${duration(feed.eta_s)} left`);
    if (!over && feed.device) parts.push(`on ${feed.device === "cpu" ? "the processor" : feed.device}`);
    if (over && run.started && run.ended) parts.push(`Took ${duration((new Date(run.ended) - new Date(run.started)) / 1000)}`);
    const text = parts.join(" · ");
    if (status.textContent !== text) status.textContent = text;
    const download = feed.phase === "downloading" && feed.download && feed.download.total ? feed.download : null;
    bar.value = download ? (100 * download.done) / download.total : feed.steps ? (100 * feed.step) / feed.steps : 0;
    const now = Date.now();
    if (feed.phase !== lastPhase || now - lastSpoken > 15000) { spoken.textContent = text; lastSpoken = now; lastPhase = feed.phase; }
  }

  /** Why it does not run yet, as far as that is known; `run` is as it was when its place was last looked up. */
  function waiting() {
    if (run.message) return [run.message];
    const words = [run.position > 1 ? `Waiting: ${run.position - 1} before it in the queue` : run.starts_in_s > 1 ? "Next in the queue" : "Starting"];
    if (run.starts_in_s > 1) words.push(`starts in about ${duration(run.starts_in_s)}`);
    return words;
  }

  function megabytes(bytes) {
    return bytes < 1e9 ? `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
  }

  function offerMetrics() {
    if (history.metrics.length === pick.options.length) return;
    pick.replaceChildren(...history.metrics.map((id) => h("option", { value: id }, (run.metrics[id] || { label: id }).label)));
    metric = history.metrics.includes(metric) ? metric : history.primary || history.metrics[0];
    pick.value = metric;
    pick.hidden = !history.metrics.length;
  }

  function show(target, figure, empty) {
    target.waiting.hidden = Boolean(figure);
    target.plot.hidden = !figure;
    if (figure) charts.draw(target.plot, figure);
    else if (target.waiting.textContent !== empty) target.waiting.textContent = empty;
  }

  const frame = (legend) => ({
    uirevision: run.id, showlegend: legend,
    xaxis: { title: "step", ...(history.steps ? { range: [0, history.steps * 1.02] } : {}) }, yaxis: {},
  });
  const none = () => (ENDED.includes(run.state) ? "Nothing was recorded." : "The first point appears after the first steps.");

  function words(over) {
    if (!(history.train.step || []).length) { show(loss, null, none()); show(rate, null, none()); }
    if (!(history.eval.step || []).length) show(held, null, over ? "Nothing was recorded." : `The first point appears after the first look at the ${run.looks.title.toLowerCase()}.`);
  }

  function smooth(values) {
    let average = 0, weight = 0;
    return values.map((value) => {
      if (value === null) return null;
      average = smoothing * average + (1 - smoothing) * value;
      weight = smoothing * weight + (1 - smoothing);
      return average / weight;
    });
  }

  function drawLoss() {
    const { step = [], loss: values = [] } = history.train;
    if (!step.length) { show(loss, null, none()); return; }
    const line = { x: [...step], type: "scatter", mode: step.length < 3 ? "lines+markers" : "lines" };
    const data = [];
    if (smoothing > 0) data.push({ ...line, y: [...values], role: "faint", line: { width: 1 }, opacity: 0.55, hoverinfo: "skip", showlegend: false });
    data.push({ ...line, y: smooth(values), name: "training", role: "main", hovertemplate: "step %{x}: %{y:.4f}<extra>training</extra>" });
    const checked = (history.eval.loss || []).some((value) => value !== null);
    if (checked) data.push({ x: [...history.eval.step], y: [...history.eval.loss], type: "scatter", mode: "lines+markers", name: run.looks.name, role: "second",
      hovertemplate: `step %{x}: %{y:.4f}<extra>${run.looks.name}</extra>` });
    show(loss, { data, layout: frame(checked) });
  }

  function drawMetric() {
    const { step = [] } = history.eval;
    const values = history.eval[metric] || [];
    if (!step.length || !values.length) { show(held, null, none()); return; }
    const label = (run.metrics[metric] || { label: metric }).label;
    const data = [{ x: [...step], y: [...values], type: "scatter", mode: "lines+markers", name: "while training", role: "main",
      hovertemplate: `step %{x}: %{y:.4f}<extra>${"tuned"}</extra>` }];
    const base = history.base[metric];
    if (base !== undefined && base !== null) data.push({ x: [0, history.steps || step[step.length - 1]], y: [base, base], type: "scatter", mode: "lines",
      name: "base model", role: "base", line: { dash: "dash", width: 1.5 }, hovertemplate: `base model: ${base.toFixed(4)}<extra></extra>` });
    // Room above and below: one point on the base model's line would otherwise get an axis from -1 to 1.
    const all = [...values, base].filter((value) => typeof value === "number");
    const [low, high] = [Math.min(...all), Math.max(...all)];
    if (high - low < 0.1) data.push({ x: [0, 0], y: [Math.max(-1, low - 0.05), Math.min(1, high + 0.05)], type: "scatter", mode: "markers",
      opacity: 0, hoverinfo: "skip", showlegend: false });
    show(held, { data, layout: frame(true) });
  }

  function drawRate() {
    const { step = [], learning_rate: values = [] } = history.train;
    if (!step.length) { show(rate, null, none()); return; }
    show(rate, { data: [{ x: [...step], y: [...values], type: "scatter", mode: step.length < 3 ? "lines+markers" : "lines", role: "main",
      hovertemplate: "step %{x}: %{y:.2e}<extra></extra>" }], layout: { ...frame(false), yaxis: { exponentformat: "e", rangemode: "tozero" } } });
  }

  renew(run);
  words(ENDED.includes(run.state));
  return view;
};
