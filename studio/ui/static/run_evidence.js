// Questions won and lost: the held-out rows of a run, sorted and filtered; an opened row shows what each model finds.
"use strict";
(() => {
  const { h, request } = window.studio;
  const PAGE = 25;
  const MODELS = { base: "Base model", tuned: "Tuned model", bm25: "Keyword search" };
  const SHORT = { base: "Base", tuned: "Tuned", bm25: "BM25" };
  const SHOWS = { all: "All", better: "Won", worse: "Lost", same: "As before", doubt: "Label in doubt" };
  const TITLES = { spearman: "Pairs won and lost", average_precision: "Pairs won and lost", triplet_accuracy: "Triplets won and lost" };
  const title = (run) => (run.verdict && TITLES[run.verdict.primary]) || "Questions won and lost";
  const number = (value) => value.toLocaleString("en");

  function show(body, run) {
    const path = `/api/runs/${encodeURIComponent(run.id)}/evidence`;
    const wish = { show: "all", sort: "change", descending: true, words: "", by: "", value: "", offset: 0 };
    let turn = 0; // counts looks: an answer to an earlier one is thrown away
    let opened = null;

    const tabs = Object.entries(SHOWS).map(([id, label]) => {
      const count = h("span", { class: "count" });
      const button = h("button", { type: "button", class: "button plain small", "aria-pressed": "false", onclick: () => look({ show: id, sort: "change", descending: id !== "worse" }) }, label, count); // the largest first
      return { id, button, count };
    });
    const words = h("input", { type: "search", placeholder: "Search in the texts", "aria-label": "Search in the texts", oninput: () => later() });
    const part = h("button", { type: "button", class: "button plain small evidence-part", hidden: true, onclick: () => look({ by: "", value: "" }) });
    const file = h("a", { class: "evidence-file", download: true }, "Download as CSV");
    const help = h("p", { class: "fine" });
    const head = h("tr");
    const rows = h("tbody");
    const table = h("div", { class: "evidence-table", role: "region", "aria-label": title(run), tabindex: "0" }, h("table", {}, h("thead", {}, head), rows));
    const where = h("span", { class: "fine", role: "status" });
    const back = h("button", { type: "button", class: "button plain small", onclick: () => look({ offset: wish.offset - PAGE }) }, "Earlier");
    const next = h("button", { type: "button", class: "button plain small", onclick: () => look({ offset: wish.offset + PAGE }) }, "Later");
    const notice = h("div", { class: "notice error", role: "alert", hidden: true });
    const tools = h("div", { class: "evidence-tools" }, h("div", { class: "evidence-shows", role: "group", "aria-label": "Which rows" }, ...tabs.map((one) => one.button)), part, words);
    body.append(tools, help, notice, table, h("div", { class: "evidence-pager" }, where, back, next, file));
    body.lookAt = (part) => look({ ...part, show: "all" });

    let waiting = null;
    function later() {
      clearTimeout(waiting);
      waiting = setTimeout(() => look({ words: words.value }), 250);
    }

    const asked = () => new URLSearchParams(Object.entries(wish).map(([name, value]) => [name, String(value)]));

    async function look(changes = {}) {
      Object.assign(wish, { offset: 0 }, changes);
      wish.offset = Math.max(0, wish.offset);
      const mine = (turn += 1);
      try {
        const found = await request(`${path}?${asked()}`);
        if (mine !== turn) return;
        notice.hidden = true;
        fill(found);
      } catch (error) {
        if (mine !== turn) return;
        notice.hidden = false;
        notice.replaceChildren(h("strong", {}, error.message), h("span", {}, error.hint || ""));
      }
    }

    function fill(found) {
      wish.offset = found.offset;
      opened = null;
      for (const { id, button, count } of tabs) {
        count.textContent = number(found.counts[id]);
        button.setAttribute("aria-pressed", String(wish.show === id));
        button.disabled = !found.counts[id];
      }
      part.hidden = !wish.by;
      part.textContent = wish.value;
      part.setAttribute("aria-label", `Only ${wish.value}; press to see all rows`);
      help.textContent = found.words.help;
      const models = Object.keys(MODELS).filter((model) => found.rows.length ? model in found.rows[0].cells : model !== "bm25");
      const columns = [["row", "Row"], [null, found.words.first], [null, found.words.second], ...(found.words.target ? [[null, found.words.target]] : []),
        ...models.map((model) => [model, SHORT[model]]), ["change", "Change"]];
      head.replaceChildren(...columns.map(([sort, label]) => heading(sort, label)));
      rows.replaceChildren(...found.rows.map((row) => line(row, models, found)));
      if (!found.rows.length) rows.append(h("tr", {}, h("td", { colspan: String(columns.length), class: "evidence-none" }, "No row is like that.")));
      const last = wish.offset + found.rows.length;
      where.textContent = found.total ? `${number(wish.offset + 1)} to ${number(last)} of ${number(found.total)}` : "";
      back.disabled = wish.offset === 0;
      next.disabled = last >= found.total;
      file.href = `./download/runs/${encodeURIComponent(run.id)}/evidence.csv?${asked()}`;
    }

    function heading(sort, label) {
      if (!sort) return h("th", { scope: "col" }, label);
      const mine = wish.sort === sort;
      return h("th", { scope: "col", class: "figure", "aria-sort": mine ? (wish.descending ? "descending" : "ascending") : "none" },
        h("button", { type: "button", class: "evidence-sort", onclick: () => look({ sort, descending: mine ? !wish.descending : sort !== "row" }) },
          label, h("span", { "aria-hidden": "true" }, mine ? (wish.descending ? " \u2193" : " \u2191") : "")));
    }

    function line(row, models, found) {
      const open = h("button", { type: "button", class: "evidence-open", "aria-expanded": "false" }, row.anchor);
      const made = h("tr", { class: row.doubt ? "doubtful" : "" },
        h("td", { class: "figure", "data-label": "Row" }, number(row.numbers[0])),
        h("td", { class: "evidence-text", "data-label": found.words.first }, open, row.doubt ? h("span", { class: "evidence-doubt" }, "label in doubt") : null),
        h("td", { class: "evidence-text", "data-label": found.words.second }, row.positive[0] || "", row.positive.length > 1 ? h("small", {}, ` and ${row.positive.length - 1} more`) : null),
        found.words.target ? h("td", { class: "figure", "data-label": found.words.target }, String(Math.round(row.target * 100) / 100)) : null,
        ...models.map((model) => h("td", { class: "figure", "data-label": SHORT[model] }, row.cells[model])),
        h("td", { class: `figure ${row.moved > 0 ? "up" : row.moved < 0 ? "down" : ""}`, "data-label": "Change" }, row.change.replace("-", "\u2212")));
      open.addEventListener("click", () => toggle(made, open, row, found));
      return made;
    }

    async function toggle(made, open, row, found) {
      const again = opened && opened.open === open;
      if (opened) { opened.detail.remove(); opened.open.setAttribute("aria-expanded", "false"); opened = null; }
      if (again) return;
      const place = h("td", { colspan: String(made.children.length) }, h("p", { class: "fine" }, "Loading \u2026"));
      opened = { open, detail: h("tr", { class: "evidence-detail" }, place) };
      open.setAttribute("aria-expanded", "true");
      made.after(opened.detail);
      const mine = opened;
      try {
        const all = await request(`${path}/${row.at}`);
        if (mine === opened) place.replaceChildren(detail(all, found));
      } catch (error) {
        if (mine === opened) place.replaceChildren(h("div", { class: "notice error" }, h("strong", {}, error.message), h("span", {}, error.hint || "")));
      }
    }

    function detail(row, found) {
      const texts = h("dl", { class: "evidence-texts" }, entry(found.words.first, [row.anchor]), entry(found.words.second, row.positive),
        row.right > row.positive.length ? entry("", [`and ${number(row.right - row.positive.length)} more right texts`]) : null,
        row.negative.length ? entry(row.negative.length > 1 ? "Negatives" : "Negative", row.negative) : null);
      const lists = Object.entries(row.hits).map(([model, hits]) => h("section", { class: "evidence-hits" }, h("h4", {}, MODELS[model]),
        hits.length ? h("ol", {}, ...hits.map((hit) => h("li", { class: hit.right ? "right" : "" }, h("span", {}, hit.text),
          h("small", {}, hit.right ? "right \u00b7 " : "", hit.score.toFixed(2))))) : h("p", { class: "fine" }, "No text has a word of it.")));
      return h("div", { class: "evidence-open-row" }, row.doubt ? h("p", { class: "evidence-why" }, h("b", {}, "Is the label right? "), row.doubt,
        row.doubt_text ? h("q", {}, row.doubt_text) : null) : null, texts, lists.length ? h("div", { class: "evidence-lists" }, ...lists) : null, links(row, found));
    }

    const entry = (label, texts) => h("div", {}, h("dt", {}, label), ...texts.map((text) => h("dd", {}, text)));

    /** The rows in the Data tab, where they can be corrected. */
    function links(row, found) {
      if (!found.dataset) return h("p", { class: "fine" }, "The dataset of this run belongs to somebody else, or has been deleted.");
      const shown = row.numbers.slice(0, 5).map((one) => h("a", { href: `?tab=data&dataset=${encodeURIComponent(found.dataset)}&row=${one}` }, `row ${number(one)}`));
      return h("p", { class: "evidence-links" }, "Look at it in the data, or correct it: ", ...shown.flatMap((link, at) => (at ? [", ", link] : [link])),
        row.numbers.length > 5 ? ` and ${row.numbers.length - 5} more` : null);
    }

    look();
  }

  window.studio.runPart({ id: "evidence", title, order: 20, wanted: (run) => run.has_evidence, show });

  // Slices: how both models do on parts of the rows; a part leads to its rows above.
  const signed = (value) => `${value >= 0 ? "+" : "\u2212"}${Math.abs(value).toFixed(3)}`;

  async function showSlices(body, run) {
    let found;
    try {
      found = await request(`/api/runs/${encodeURIComponent(run.id)}/slices`);
    } catch (error) {
      body.replaceChildren(h("div", { class: "notice error" }, h("strong", {}, error.message), h("span", {}, error.hint || "")));
      return;
    }
    if (!found.slices.length) {
      body.replaceChildren(h("p", { class: "fine" }, "These rows are all alike: of one length and language, with no columns that sort them."));
      return;
    }
    body.replaceChildren(h("p", { class: "fine" }, `Where the model gained and where it lost. Columns of your table that sort its rows are here too. Below ${found.few} rows an interval says little; the whole range is shown all the same.`),
      ...found.slices.map((slice) => sliceTable(slice, found.few)));
  }

  function sliceTable(slice, few) {
    const labels = [...new Set(slice.parts.flatMap((part) => Object.keys(part.metrics)))];
    const widest = Math.max(0.05, ...slice.parts.flatMap((part) => Object.values(part.metrics).flatMap(([, , low, high]) => [Math.abs(low), Math.abs(high)])).filter(Number.isFinite));
    return h("section", { class: "slice" }, h("h4", {}, slice.label), h("div", { class: "slice-table" }, h("table", {},
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, h("span", { class: "sr" }, slice.label)), h("th", { scope: "col" }, "Rows"), ...labels.slice(0, 1).flatMap((label) => [
        h("th", { scope: "col" }, `${label} of base`), h("th", { scope: "col" }, "Tuned"), h("th", { scope: "col" }, "Difference (95 % interval)"), h("th", { scope: "col" }, h("span", { class: "sr" }, "As a bar"))]))),
      h("tbody", {}, ...slice.parts.map((part) => {
        const values = part.metrics[labels[0]];
        const name = / others$/.test(part.value) ? h("span", {}, part.value) : h("button", { type: "button", class: "slice-open", onclick: () => openPart(slice.by, part.value) }, part.value);
        return h("tr", { class: part.rows < few ? "few" : "" }, h("th", { scope: "row" }, name),
          h("td", {}, number(part.rows), part.rows < few ? h("small", {}, " few") : null),
          ...(values ? [h("td", {}, values[0].toFixed(3)), h("td", {}, values[1].toFixed(3)),
            h("td", {}, h("b", {}, signed(values[1] - values[0])), h("small", {}, ` ${signed(values[2])} to ${signed(values[3])}`)),
            h("td", { class: "slice-bar" }, bar(values, widest))]
            : [h("td", { colspan: "4", class: "fine" }, "Not defined on these rows: they say too much the same.")]));
      })))));
  }

  /** The interval as a line around its zero. */
  function bar([base, tuned, low, high], widest) {
    const at = (value) => `${(50 + (50 * Math.max(-widest, Math.min(widest, value))) / widest).toFixed(2)}%`;
    const kind = low > 0 ? "up" : high < 0 ? "down" : "";
    const line = h("i", { class: `slice-range ${kind}` });
    line.style.left = at(low);
    line.style.right = `${(100 - parseFloat(at(high))).toFixed(2)}%`;
    const dot = h("i", { class: `slice-dot ${kind}` });
    dot.style.left = at(tuned - base);
    return h("span", { class: "slice-line", "aria-hidden": "true" }, line, dot);
  }

  function openPart(by, value) {
    const fold = document.getElementById("run-part-evidence");
    if (!fold) return;
    fold.open = true;
    // The fold is filled when it has been opened.
    setTimeout(() => { fold.querySelector(".run-part").lookAt({ by, value }); fold.scrollIntoView({ block: "start", behavior: "smooth" }); }, 50);
  }

  window.studio.runPart({ id: "slices", title: "Slices: where it gained, where it lost", order: 30, wanted: (run) => run.has_evidence, show: showSlices });
})();
