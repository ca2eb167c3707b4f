// Below the hits: teach the model by marks, compare two columns blindly, look through the texts.
"use strict";
(() => {
  const { h } = window.studio;
  const number = (value) => value.toLocaleString("en");
  const plain = (text, onclick, more = {}) => h("button", { type: "button", class: "button plain small", onclick, ...more }, text);

  /** What the marks come to, and what can be done with them. */
  async function drawTeach(place, { detail, columns, source, summary = null, attempt }) {
    const { request, remember } = window.studio;
    if (!place) return;
    const now = summary || (await request(`/api/corpora/${detail.id}/feedback`).catch(() => null));
    if (!now) return;
    const said = h("p", { class: "fine", role: "status" }, now.good + now.bad
      ? `${number(now.good)} marked as right, ${number(now.bad)} as wrong; ${number(now.queries)} ${now.queries === 1 ? "query has" : "queries have"} a right answer. Each becomes rows of a dataset: the query, what is right, and what is wrong or stood above it.`
      : "Mark hits as right or wrong, or say which should be first. The marks become a dataset that the model can be trained with.");
    const notice = h("p", { class: "fine", role: "status" });
    const run = (source([...columns].reverse().find((id) => id.startsWith("run:"))) || {}).run;
    const enough = now.queries >= 2;
    const make = plain("Make a dataset of the marks", async () => {
      const made = await attempt(() => request(`/api/corpora/${detail.id}/feedback`, "POST", {}));
      if (made) notice.replaceChildren(`'${made.name}' has ${number(made.rows)} rows. `, h("a", { href: `?tab=data&dataset=${made.dataset}` }, "Look at it"));
    }, { id: "teach-dataset", disabled: !enough });
    const train = h("button", { type: "button", id: "teach-train", class: "button primary small", disabled: !enough || !run, onclick: async () => {
      train.disabled = true;
      const made = await attempt(() => request(`/api/corpora/${detail.id}/train`, "POST", { run }));
      train.disabled = false;
      if (!made) return;
      remember({ run: made.run });
      document.querySelector("#tab-runs-button")?.click();
    } }, "Train again with this");
    const csv = h("a", { class: "button plain small", href: window.studio.at(`/api/corpora/${detail.id}/feedback.csv`), download: "feedback.csv", hidden: !now.queries }, "Marks as CSV");
    const why = enough && run ? null : h("span", { class: "fine" }, !enough ? "Right answers to at least two queries are needed." : "Add a tuned model as a column to train it on.");
    place.replaceChildren(said, h("div", { class: "search-buttons" }, train, make, csv, why), notice);
  }

  /** Two columns without names. While it is on, a query is answered by them. */
  function drawBlind(place, { detail, columns, label, attempt, results, foot, query, complain }) {
    const { request } = window.studio;
    const mode = { on: false, ask };
    window.studio.blindMode = mode;
    const options = () => columns.map((id) => h("option", { value: id }, label(id)));
    const one = h("select", { "aria-label": "One column" }, ...options());
    const other = h("select", { "aria-label": "The other column" }, ...options());
    const base = columns.find((id) => id.startsWith("base:")) || columns[0];
    const tuned = columns.find((id) => id.startsWith("run:")) || columns[columns.length - 1];
    one.value = base;
    other.value = tuned;
    const verdicts = h("div", { class: "blind-verdicts", role: "status" });
    const toggle = h("button", { type: "button", id: "blind-toggle", class: "button plain small", disabled: columns.length < 2, onclick: () => {
      mode.on = !mode.on;
      one.disabled = other.disabled = mode.on;
      toggle.textContent = mode.on ? "End the blind test" : "Begin the blind test";
      results.replaceChildren(mode.on ? h("p", { class: "fine" }, "Ask something: two columns answer, and nothing says which is which.") : "");
      foot.hidden = true;
      if (mode.on) query.focus();
    } }, "Begin the blind test");
    const anew = plain("Forget the votes", async () => {
      await attempt(() => request(`/api/corpora/${detail.id}/preferences`, "DELETE"));
      tell();
    });

    async function tell() {
      const answer = await request(`/api/corpora/${detail.id}/preferences`).catch(() => null);
      if (!answer) return;
      anew.hidden = !answer.preferences.length;
      verdicts.replaceChildren(...answer.preferences.map((each) => h("p", {}, each.sentence)));
    }

    async function ask(wish) {
      const pair = await attempt(() => request(`/api/corpora/${detail.id}/blind`, "POST", { ...wish, columns: [one.value, other.value] }));
      if (!pair) return;
      const side = (name, title) => h("section", { "aria-label": title }, h("h3", {}, title),
        h("ol", {}, ...pair[name].map((hit) => h("li", {}, h("span", { class: "rank" }, String(hit.rank)), h("div", {}, ...window.studio.hitBody(hit))))));
      const vote = (choice, text) => h("button", { type: "button", class: "button primary", "data-choice": choice, onclick: async () => {
        const names = await attempt(() => request(`/api/blind/${pair.pair}`, "POST", { choice }));
        if (!names) return;
        const better = choice === "same" ? "As good." : `${choice === "left" ? names.left : names.right} was better.`;
        results.replaceChildren(h("div", { class: "notice info", role: "status" }, h("strong", {}, better), h("span", {}, `Left: ${names.left}. Right: ${names.right}. Ask the next question.`)));
        query.value = "";
        query.focus();
        tell();
      } }, text);
      complain(null);
      results.replaceChildren(h("div", { class: "blind-vote" }, vote("left", "Left is better"), vote("same", "As good"), vote("right", "Right is better")),
        h("div", { class: "hits", style: "--columns: 2" }, side("left", "Left"), side("right", "Right")));
    }

    place.replaceChildren(h("p", { class: "fine" }, "Ask real questions and say which side is better, without knowing which is which. After ten decided queries a sign test says whether there is a preference."),
      h("div", { class: "search-buttons" }, one, h("span", {}, "against"), other, toggle, anew), verdicts);
    tell();
  }

  /** Near duplicates, topics, outliers. */
  async function drawTidy(place, { detail, columns, label, attempt, isReady }) {
    const { request, duration } = window.studio;
    const models = columns.filter((id) => id !== "keyword");
    const choice = h("select", { "aria-label": "Model" }, ...models.map((id) => h("option", { value: id }, label(id))));
    if (models.length) choice.value = models[models.length - 1];
    const alike = h("input", { type: "number", min: "0.5", max: "1", step: "0.01", value: "0.95", "aria-label": "Alike from" });
    const shown = h("div", { class: "tidy-shown", role: "status" });
    const start = plain("Look through the texts", async () => {
      if (!isReady()) return void shown.replaceChildren(h("p", { class: "fine" }, "The texts are still being read."));
      const made = await attempt(() => request(`/api/corpora/${detail.id}/tidy`, "POST", { column: choice.value, alike: Number(alike.value) }));
      if (made) show(made);
    }, { id: "tidy-start", disabled: !models.length });
    const tables = [["topics", "Topics"], ["documents", "Texts by topic"], ["duplicates", "Near duplicates"], ["outliers", "Outliers"]];

    function show({ making, result }) {
      if (!making) return;
      const over = ["succeeded", "failed", "cancelled"].includes(making.state);
      start.disabled = !over;
      if (!over) {
        const bar = h("progress", { max: "100", "aria-label": making.name });
        if (making.total) bar.value = Math.round((100 * making.done) / making.total);
        const stop = plain("Stop", () => attempt(() => request(`/api/makings/${making.id}/stop`, "POST", {})));
        shown.replaceChildren(h("div", { class: "making-line" }, h("div", { class: "progress-line" }, h("span", {}, [making.words || "Waiting for its turn", making.eta_s ? `about ${duration(making.eta_s)} left` : ""].filter(Boolean).join(" · ")), bar), stop));
        setTimeout(async () => {
          if (!place.isConnected) return;
          const next = await request(`/api/corpora/${detail.id}/tidy`).catch(() => null);
          if (next) show(next);
        }, 700);
        return;
      }
      if (making.state !== "succeeded") return void shown.replaceChildren(h("div", { class: "notice error" }, h("strong", {}, making.message), h("span", {}, making.hint || "")));
      const links = tables.map(([name, title]) => h("a", { class: "button plain small", href: window.studio.at(`/api/tidy/${making.id}/${name}.csv`), download: `${name}.csv` }, `${title} (${number(result.rows[name])})`));
      const most = Math.max(...result.topics.map((topic) => topic.documents), 1);
      shown.replaceChildren(h("p", {}, making.message), h("div", { class: "search-buttons" }, ...links),
        h("ol", { class: "tidy-topics" }, ...result.topics.slice(0, 20).map((topic) => {
          const bar = h("i");
          bar.style.width = `${Math.max(2, Math.round((100 * topic.documents) / most))}%`;
          return h("li", {}, h("span", {}, topic.keywords.slice(0, 6).join(", ") || "no words"), h("small", {}, number(topic.documents)), h("span", { class: "bar" }, bar));
        })));
    }

    place.replaceChildren(h("p", { class: "fine" }, "Which texts say nearly the same, what they are about, and which fit nowhere. Each is a table to download."),
      h("div", { class: "search-buttons" }, choice, h("label", {}, h("span", { class: "tip", tabindex: "0", "data-tip": "Cosine similarity from which two texts are taken to say the same." }, "Alike from"), alike), start), shown);
    const last = await request(`/api/corpora/${detail.id}/tidy`).catch(() => null);
    if (last) show(last);
  }

  const FOLDS = [["teach", "Teach the model", drawTeach], ["blind", "Blind test", drawBlind], ["tidy", "Look through the texts", drawTidy]];

  window.studio.drawTeach = drawTeach;
  window.studio.drawSearchFolds = (root, context) => {
    const open = new Set([...root.querySelectorAll("details[open]")].map((each) => each.id));
    window.studio.blindMode = null;
    root.replaceChildren(...FOLDS.map(([name, title, draw]) => {
      const body = h("div", { class: `search-fold-body ${name}` });
      let drawn = false;
      const show = () => {
        if (drawn) return;
        drawn = true;
        draw(body, context);
      };
      const fold = h("details", { class: "search-fold", id: `search-${name}`, ontoggle: () => fold.open && show() }, h("summary", {}, title), body);
      if (open.has(fold.id)) {
        fold.open = true;
        show();
      }
      return fold;
    }));
  };
})();
