// The Search tab: one query, several ways to search, side by side. What is chosen stands in the page's address.
"use strict";
window.studio.mountSearch = (element) => {
  const { h, at: where, ids, remember, request, duration } = window.studio;
  const root = element.querySelector(".search");
  const PLAIN = { top_k: 10, filters: [], threshold: null, hybrid: false, rerank: false };
  let known = { corpora: [], datasets: [], sources: [], no_reranking: "" };
  let detail = null;
  let columns = [];
  let how = { ...PLAIN };
  let ready = false;
  let asked = null; // what the hits on the page answer
  let waiting = Boolean(ids.q); // a question in the address is asked as soon as it can be
  let turn = 0;
  let wanted = ""; // a run that is to be a column as soon as it has a model

  const number = (value) => value.toLocaleString("en");
  const source = (id) => known.sources.find((each) => each.id === id);

  // Texts and columns

  const corpusSelect = h("select", { id: "search-corpus", "aria-label": "Texts to search", onchange: () => chooseCorpus(corpusSelect.value) });
  const about = h("p", { class: "fine" });
  const remove = h("button", { type: "button", class: "button plain small", onclick: deleteCorpus }, "Delete");
  const share = h("div", { id: "search-share", hidden: true }, h("div", { class: "share", "data-share": "" }));
  const chips = h("div", { class: "search-columns", role: "group", "aria-label": "Columns" });
  const adder = h("select", { id: "search-add-column", "aria-label": "Add a column", onchange: () => addColumn(adder.value) });
  const blank = h("div", { class: "blank", id: "search-blank", hidden: true });
  const trouble = h("div", { class: "notice error", id: "search-trouble", role: "alert", hidden: true });
  const status = h("div", { id: "search-status", class: "panel indexing", role: "status", hidden: true });

  // The question

  const query = h("input", { id: "search-query", type: "search", autocomplete: "off", placeholder: "What are you looking for?", "aria-label": "Query" });
  const start = h("button", { id: "search-start", type: "submit", class: "button primary", disabled: true }, "Search");
  const box = h("form", { id: "search-box", class: "search-box", onsubmit: (event) => { event.preventDefault(); ask(); } }, query, start);
  const samples = h("div", { id: "search-examples", class: "search-chips" });
  const history = h("details", { id: "search-history", class: "search-fold small", ontoggle: () => history.open && showHistory() }, h("summary", {}, "Asked before"));
  const options = h("details", { id: "search-options", class: "search-fold small" }, h("summary", {}, "Options"));
  const results = h("div", { id: "search-results" });
  const foot = h("div", { class: "search-foot", hidden: true });
  const folds = h("div", { class: "search-folds" });
  const panel = h("div", { id: "search-panel", class: "search-panel", hidden: true }, chips, status, box, samples,
    h("div", { class: "search-ways" }, options, history), results, foot, folds);
  root.replaceChildren(
    h("div", { class: "search-top" }, h("label", {}, h("span", {}, "Texts to search"), corpusSelect), h("div", { class: "search-about" }, about, remove)),
    share, trouble, blank, panel);

  window.studio.mountShare(share);

  function complain(error) {
    trouble.hidden = !error;
    if (error) trouble.replaceChildren(h("strong", {}, error.message), h("span", {}, error.hint || ""));
  }

  /** Do something on the server; what goes wrong is said on the page. */
  async function attempt(work) {
    try {
      complain(null);
      return await work();
    } catch (error) {
      complain(error);
      return null;
    }
  }

  async function refresh() {
    const mine = ++turn;
    ready = false; // what was asked before may be of other columns
    start.disabled = true;
    const answer = await attempt(() => request("/api/corpora"));
    if (!answer || mine !== turn) return;
    known = answer;
    const option = (value, text) => h("option", { value }, text);
    corpusSelect.replaceChildren(option("", "Choose..."),
      ...known.corpora.map((each) => option(each.id, `${each.name} - ${number(each.rows)} texts`)),
      ...known.datasets.map((each) => option(`dataset:${each.id}`, `${each.name} - texts of this dataset`)));
    columns = columns.filter(source);
    if (wanted && source(`run:${wanted}`)) {
      if (!columns.includes(`run:${wanted}`)) columns = usual(wanted);
      wanted = "";
    }
    if (!columns.length) columns = (ids.columns || "").split(",").filter(source);
    if (!columns.length) columns = usual();
    try {
      how = { ...PLAIN, ...JSON.parse(ids.how || "{}") };
    } catch {
      how = { ...PLAIN };
    }
    if (ids.q && !query.value) query.value = ids.q;
    await showCorpus();
  }

  /** Keywords, the base and the tuned model of the chosen run, or of the newest. */
  function usual(run = ids.run) {
    const tuned = source(`run:${run}`) || known.sources.find((each) => each.id.startsWith("run:"));
    if (tuned) return ["keyword", `base:${tuned.run}`, tuned.id];
    const base = known.sources.find((each) => each.id.startsWith("model:"));
    return ["keyword", ...(base ? [base.id] : [])];
  }

  async function showCorpus() {
    const mine = turn;
    const there = known.corpora.some((each) => each.id === ids.corpus);
    corpusSelect.value = there ? ids.corpus : "";
    detail = there ? await attempt(() => request(`/api/corpora/${ids.corpus}`)) : null;
    if (mine !== turn) return;
    panel.hidden = !detail;
    blank.hidden = Boolean(detail) || there;
    remove.hidden = !detail || !detail.mine;
    share.hidden = !detail || !detail.share;
    share.firstChild.dataset.share = detail && detail.share ? `corpus:${detail.id}` : "";
    about.textContent = detail ? detail.note : "";
    if (!detail) {
      blank.replaceChildren(h("b", {}, "Choose the texts to search"), h("p", {}, "Those of a dataset, a table of your own, or a folder of documents."));
      return;
    }
    drawColumns();
    drawOptions();
    drawFolds();
    results.replaceChildren();
    foot.hidden = true;
    await Promise.all([watchIndexes(), showSamples()]);
  }

  async function chooseCorpus(value) {
    turn += 1;
    if (value.startsWith("dataset:")) {
      const made = await attempt(() => request("/api/corpora", "POST", { dataset: value.slice(8) }));
      if (!made) return void (corpusSelect.value = ids.corpus || "");
      ids.corpus = made.id;
      remember({ corpus: made.id, q: "", how: "" });
      return refresh();
    }
    query.value = "";
    remember({ corpus: value, q: "", how: "" });
    how = { ...PLAIN };
    return showCorpus();
  }

  async function deleteCorpus() {
    const words = `Delete '${detail.name}' and its embeddings? Marks that were given stay.`;
    if (!window.confirm(words)) return;
    if ((await attempt(() => request(`/api/corpora/${detail.id}`, "DELETE"))) === null) return;
    remember({ corpus: "", q: "", how: "" });
    refresh();
  }

  // Columns

  function drawColumns() {
    chips.replaceChildren(...columns.map((id, at) => h("span", { class: `search-chip ${id.split(":")[0]}`, title: label(id) }, h("span", {}, (source(id) || {}).short || label(id)),
      h("button", { type: "button", "aria-label": `Remove ${label(id)}`, disabled: columns.length < 2, onclick: () => setColumns(columns.filter((_, i) => i !== at)) }, "×"))), adder);
    const groups = new Map();
    for (const each of known.sources) {
      if (columns.includes(each.id)) continue;
      if (!groups.has(each.group)) groups.set(each.group, h("optgroup", { label: each.group }));
      groups.get(each.group).append(h("option", { value: each.id }, each.label));
    }
    adder.replaceChildren(h("option", { value: "" }, "+ Add a column"), ...groups.values());
    adder.hidden = columns.length >= 6 || !groups.size;
  }

  const label = (id) => (source(id) || { label: id }).label;

  function addColumn(id) {
    if (id) setColumns([...columns, id]);
  }

  function setColumns(next) {
    columns = next;
    remember({ columns: columns.join(",") });
    drawColumns();
    drawFolds();
    showSamples();
    watchIndexes().then(() => asked && ready && ask());
  }

  // Indexes

  async function watchIndexes(retry = false) {
    if (!detail) return;
    const mine = ++turn;
    const answer = await attempt(() => request(`/api/corpora/${detail.id}/indexes`, "POST", { columns, retry }));
    if (mine !== turn) return;
    if (!answer) {
      ready = false;
      start.disabled = true;
      return;
    }
    const undone = answer.indexes.filter((index) => index.state !== "ready");
    ready = !undone.length;
    start.disabled = !ready;
    status.hidden = ready;
    if (ready) {
      if (waiting && query.value) ask();
      waiting = false;
      return;
    }
    status.replaceChildren(h("b", {}, "Reading the texts"), ...undone.map(drawIndex));
    if (undone.some((index) => ["queued", "building", "stopping"].includes(index.state))) {
      setTimeout(() => { if (mine === turn) watchIndexes(); }, root.offsetParent === null ? 3000 : 800);
    }
  }

  function drawIndex(index) {
    if (["failed", "stopped"].includes(index.state)) {
      const words = index.state === "failed" ? `${index.label} could not read the texts.` : `${index.label}: stopped.`;
      return h("div", { class: "making-line" }, h("span", { class: index.state === "failed" ? "notice error" : "" }, `${words} ${index.message}`),
        h("button", { type: "button", class: "button plain small", onclick: () => watchIndexes(true) }, index.state === "failed" ? "Try again" : "Go on"));
    }
    const bar = h("progress", { max: "100", "aria-label": index.label });
    if (index.total && index.done) bar.value = Math.round((100 * index.done) / index.total);
    const facts = [`${index.label}: ${number(index.done)} of ${number(index.total)} texts`, index.state === "queued" ? "waiting for its turn" : "",
      index.per_s ? `${number(Math.round(index.per_s))} a second` : "", index.eta_s ? `about ${duration(index.eta_s)} left` : ""];
    const stop = h("button", { type: "button", class: "button plain small", disabled: index.state === "stopping", onclick: async () => {
      await attempt(() => request(`/api/corpora/${detail.id}/indexes/${index.key}/stop`, "POST", {}));
      watchIndexes();
    } }, "Stop");
    return h("div", { class: "making-line" }, h("div", { class: "progress-line" }, h("span", {}, facts.filter(Boolean).join(" · ")), bar), stop);
  }

  // Questions to begin with, and those asked before

  async function showSamples() {
    const run = (source(columns.find((id) => id.startsWith("run:"))) || {}).run;
    samples.replaceChildren();
    if (!run || !detail) return;
    const corpus = detail.id;
    const found = await request(`/api/corpora/${corpus}/samples/${run}`).catch(() => null);
    if (!found || !detail || corpus !== detail.id) return;
    const some = found.base_wrong.slice(0, 4);
    const rest = found.others.filter((each) => !some.includes(each)).slice(0, 4 - some.length);
    if (some.length) samples.append(h("span", { class: "fine" }, "Try one the base got wrong:"));
    [...some, ...rest].forEach((words, at) => {
      if (at === some.length) samples.append(h("span", { class: "fine" }, some.length ? "or:" : "Try:"));
      samples.append(h("button", { type: "button", id: `search-example-${at}`, class: "chip", onclick: () => { query.value = words; ask(); } }, words));
    });
  }

  async function showHistory() {
    const answer = await attempt(() => request(`/api/corpora/${detail.id}/history`));
    if (!answer) return;
    const again = (search) => () => {
      const { query: words, columns: used, ...rest } = search;
      how = { ...PLAIN, ...Object.fromEntries(Object.entries(rest).filter(([name]) => name in PLAIN)) };
      const still = used.filter(source);
      query.value = words;
      drawOptions();
      if (still.length && still.join() !== columns.join()) { asked = true; setColumns(still); } else ask();
    };
    const rows = answer.searches.map((search) => h("button", { type: "button", class: "chip", onclick: again(search) }, search.query));
    const forget = h("button", { type: "button", class: "button plain small", onclick: async () => {
      await attempt(() => request(`/api/corpora/${detail.id}/history`, "DELETE"));
      showHistory();
    } }, "Forget all");
    history.replaceChildren(history.firstElementChild, h("div", { class: "search-chips" }, ...rows, rows.length ? forget : h("span", { class: "fine" }, "Nothing yet.")));
  }

  // Options

  function drawOptions() {
    const filterOf = (name) => how.filters.find((each) => each.field === name) || {};
    const set = (name, filter) => {
      how.filters = [...how.filters.filter((each) => each.field !== name), ...(filter ? [{ field: name, ...filter }] : [])];
      changed();
    };
    const control = (field) => {
      const now = filterOf(field.name);
      if (field.kind === "choice") {
        const select = h("select", { onchange: () => set(field.name, select.value ? { values: [select.value] } : null) },
          h("option", { value: "" }, "any"), ...field.choices.map((value) => h("option", { value }, value)));
        select.value = (now.values || [""])[0];
        return h("label", {}, h("span", {}, field.name), select);
      }
      if (field.kind === "number") {
        const bound = (name, hint) => {
          const input = h("input", { type: "number", step: "any", placeholder: hint, "aria-label": `${field.name}, ${name}`, onchange: () => {
            const next = { least: ends[0].value || null, most: ends[1].value || null };
            set(field.name, next.least || next.most ? next : null);
          } });
          input.value = now[name] ?? "";
          return input;
        };
        const ends = [bound("least", String(field.low)), bound("most", String(field.high))];
        return h("label", {}, h("span", {}, `${field.name}, from and to`), h("span", { class: "pair" }, ...ends));
      }
      const input = h("input", { type: "text", placeholder: "contains", onchange: () => set(field.name, input.value ? { contains: input.value } : null) });
      input.value = now.contains || "";
      return h("label", {}, h("span", {}, field.name), input);
    };
    const least = h("input", { type: "number", step: "0.05", min: "-1", max: "1", placeholder: "none", onchange: () => { how.threshold = least.value === "" ? null : Number(least.value); changed(); } });
    least.value = how.threshold ?? "";
    const many = h("select", { onchange: () => { how.top_k = Number(many.value); changed(); } }, ...[5, 10, 20, 50].map((value) => h("option", { value }, String(value))));
    many.value = String(how.top_k);
    const toggle = (name, text, explanation, reason = "") => {
      const check = h("input", { type: "checkbox", disabled: Boolean(reason), onchange: () => { how[name] = check.checked; changed(); } });
      check.checked = how[name] && !reason;
      return h("label", { class: "toggle" }, check, h("span", { class: "tip", tabindex: "0", "data-tip": explanation }, text), reason ? h("small", {}, reason) : null);
    };
    options.replaceChildren(options.firstElementChild, h("div", { class: "search-options" },
      ...detail.fields.map(control),
      h("label", {}, h("span", { class: "tip", tabindex: "0", "data-tip": "Hits of models that are less similar than this are not shown." }, "Least similarity"), least),
      h("label", {}, h("span", {}, "Hits"), many)),
      h("div", { class: "search-toggles" },
        toggle("hybrid", "Hybrid", "Each model's ranks are put together with the keywords' ranks (reciprocal rank fusion)."),
        toggle("rerank", "Rerank", "A cross-encoder reads the query together with each of the first 50 hits and puts them in order. Slower, and often better.", known.no_reranking)));
    const set_ = how.filters.length + (how.threshold !== null) + how.hybrid + how.rerank;
    options.firstElementChild.textContent = set_ ? `Options (${set_} set)` : "Options";
  }

  function changed() {
    remember({ how: written() });
    drawOptions();
    if (asked && ready) ask();
  }

  /** Options that differ from the usual ones, for the address. */
  function written() {
    const other = Object.entries(how).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(PLAIN[name]));
    return other.length ? JSON.stringify(Object.fromEntries(other)) : "";
  }

  // Hits

  const wish = () => ({ columns, query: query.value, ...how });

  async function ask() {
    if (!ready || !detail) return;
    if (window.studio.blindMode && window.studio.blindMode.on) return window.studio.blindMode.ask(wish());
    start.disabled = true;
    results.setAttribute("aria-busy", "true");
    if (!results.firstChild) results.replaceChildren(h("p", { class: "fine", role: "status" }, "Searching. The first search loads the models, which takes some seconds."));
    const sent = wish();
    const found = await attempt(() => request(`/api/corpora/${detail.id}/search`, "POST", { ...sent, note: true }));
    results.removeAttribute("aria-busy");
    start.disabled = !ready;
    if (!found) return void results.replaceChildren();
    asked = sent;
    remember({ q: found.query, columns: columns.join(","), how: written() });
    window.studio.drawHits(results, found, { detail, marked, complain });
    const link = where(`/api/corpora/${detail.id}/hits.csv?asked=${encodeURIComponent(JSON.stringify(sent))}`);
    const took = found.seconds < 1 ? `${Math.round(found.seconds * 1000)} ms` : `${found.seconds.toFixed(1)} s`;
    const passed = found.passed === found.documents ? `${number(found.documents)} texts` : `${number(found.passed)} of ${number(found.documents)} texts pass the filters; they were`;
    foot.hidden = false;
    foot.replaceChildren(h("p", { class: "fine" }, `${passed} searched ${columns.length === 1 ? "once" : `${columns.length} times`} in ${took}. Compare scores within a column, not between columns.`),
      h("a", { class: "button plain small", href: link, download: "hits.csv" }, "Hits as CSV"),
      h("button", { type: "button", class: "button plain small", onclick: (event) => copyAddress(event.target) }, "Copy the address of this search"));
    if (history.open) showHistory();
  }

  async function copyAddress(button) {
    try {
      await navigator.clipboard.writeText(location.href);
      button.textContent = "Copied";
    } catch {
      button.textContent = "It stands in the browser's address bar";
    }
    setTimeout(() => { button.textContent = "Copy the address of this search"; }, 2500);
  }

  function marked(summary) {
    window.studio.drawTeach(folds.querySelector(".teach"), { detail, columns, source, summary, attempt });
  }

  function drawFolds() {
    window.studio.drawSearchFolds(folds, { detail, columns, source, label, attempt, results, foot, query, isReady: () => ready, complain });
  }

  // Another part of the page has chosen: a run to try (perhaps one that has no model yet), or texts that have just come in.
  let lastRun = ids.run;
  window.addEventListener("studio:chosen", ({ detail: chosen }) => {
    const another = Boolean(chosen.run) && chosen.run !== lastRun;
    const texts = chosen.corpus !== (detail ? detail.id : "");
    lastRun = chosen.run;
    if (another) wanted = chosen.run;
    if (texts || (another && root.offsetParent !== null)) refresh();
  });
  let seen = false;
  setInterval(() => {
    const now = root.offsetParent !== null;
    if (now && !seen) refresh();
    if (!now && seen) start.disabled = true; // until it is known how things stand
    seen = now;
  }, 300);
};
