// Take a model along: zip, other formats with what they keep, sizes against quality, programs to copy, the hub.
"use strict";
(() => {
  const { h, request, duration, charts } = window.studio;
  const ENDED = ["succeeded", "failed", "cancelled"];
  const ROLE = { "float32": "main", "int8": "second", "binary": "base", "binary, rescored": "base" };
  const button = (label, kind, onclick, more = {}) => h("button", { type: "button", class: `button ${kind}`, onclick, ...more }, label);
  const bytes = (n) => (n < 1e6 ? `${(n / 1e3).toFixed(n < 1e4 ? 1 : 0)} kB` : n < 1e9 ? `${(n / 1e6).toFixed(n < 1e7 ? 1 : 0)} MB` : `${(n / 1e9).toFixed(2)} GB`);
  const notice = (kind, message, hint) => h("div", { class: `notice ${kind}`, role: "status" }, h("strong", {}, message), h("span", {}, hint || ""));
  const path = (run, rest) => `/api/runs/${encodeURIComponent(run.id)}/${rest}`;

  window.studio.runPart({
    id: "takealong", title: "Take it along", order: 80,
    wanted: (run) => run.mine && run.state === "succeeded" && run.downloadable,
    show: (body, run) => {
      body.append(h("p", { class: "fine" }, "Loading"));
      request(path(run, "takealong")).then((found) => fill(body, run, found), (error) => body.replaceChildren(notice("error", error.message, error.hint)));
    },
  });

  function fill(body, run, found) {
    body.replaceChildren(h("div", { class: "takealong" },
      part("The model", "A folder that sentence-transformers loads, with a card that says what the verdict is and how it was made.",
        h("div", { class: "run-actions" }, h("a", { class: "button plain", href: `/download/runs/${encodeURIComponent(run.id)}.zip`, download: true }, `Download zip (${bytes(found.bytes)})`))),
      part("Other formats", "The whole model in one file, from the text's tokens to its vector. Each file is loaded once more and compared before you take it.",
        h("div", { class: "take-forms" }, ...found.forms.map((form) => formCard(run, form)))),
      part("Size against quality", "What it costs to keep shorter vectors, or rounder numbers, on this run's held-out rows.", sizesOf(run, found)),
      part("Use it", "Programs that run as they stand.", snippetsOf(found)),
      part("Hub", "Upload the model to the Hugging Face Hub: private, unless you say otherwise.", hubOf(run, found))));
  }

  const part = (title, help, content) => h("section", { class: "take-part" }, h("h4", {}, title), h("p", { class: "fine" }, help), content);

  /** Looks at a making until it has ended; then calls `done`. Ends with the element's life. */
  function follow(making, done) {
    const words = h("span");
    const bar = h("progress", { max: "100", "aria-label": making.name });
    const stop = button("Stop", "plain", async () => {
      stop.disabled = true;
      await request(`/api/makings/${encodeURIComponent(making.id)}/stop`, "POST", {}).catch(() => null);
    });
    const line = h("div", { class: "making-line making" }, h("div", { class: "progress-line" }, words, bar), stop);
    let lived = false;
    async function look() {
      if (line.isConnected) lived = true;
      else if (lived) return;
      try {
        const now = await request(`/api/makings/${encodeURIComponent(making.id)}`);
        if (ENDED.includes(now.state)) return void done();
        const left = now.eta_s ? `about ${duration(now.eta_s)} left` : "";
        const waits = now.state === "queued" ? "Waiting for its turn" : now.state === "stopping" ? "Stopping" : "";
        words.textContent = [waits || now.words || "Starting", left].filter(Boolean).join(" \u00b7 ");
        if (now.total) bar.value = (100 * now.done) / now.total;
        else bar.removeAttribute("value");
      } catch (error) {
        if (error.status === 404) return void done(); // taken over, by another page
      }
      setTimeout(look, 700);
    }
    words.textContent = "Starting";
    look();
    return line;
  }

  /** Starts a making and shows it in `place`; `again` draws what came of it. */
  async function start(run, what, place, again) {
    try {
      const { making } = await request(path(run, `takealong/${what}`), "POST", {});
      if (making) place.replaceChildren(follow(making, again));
      else again();
    } catch (error) {
      place.replaceChildren(notice("error", error.message, error.hint));
    }
  }

  const failed = (making) => making && ENDED.includes(making.state) && making.state !== "succeeded";
  const ended = (making) => notice(making.state === "failed" ? "error" : "info", making.message || "Stopped.", making.hint);

  function formCard(run, form) {
    const inner = h("div", { class: "take-inner" });
    const again = async () => show((await request(path(run, "takealong"))).forms.find((one) => one.id === form.id));
    function show(now) {
      const ready = now.files.some((file) => file.words);
      if (ready) {
        const rows = now.rows < now.of_rows ? `${now.rows.toLocaleString("en")} of the ${now.of_rows.toLocaleString("en")} held-out rows` : `the ${now.rows.toLocaleString("en")} held-out rows`;
        inner.replaceChildren(
          h("ul", { class: "take-files" }, ...now.files.map((file) => h("li", {},
            h("div", {}, h("b", {}, h("span", { class: "tip", tabindex: "0", "data-tip": file.help }, file.label)), h("span", { class: "take-words" }, ` ${file.words}`)),
            h("a", { class: "button plain small", href: file.url, download: true, id: `take-${file.id}` }, "Download")))),
          h("p", { class: "fine" }, `Compared with the model on ${rows}.`));
        return;
      }
      if (now.making && !ENDED.includes(now.making.state)) {
        inner.replaceChildren(follow(now.making, again));
        return;
      }
      const make = button(`Make ${now.label}`, "plain", () => start(run, now.id, inner, again), { id: `take-make-${now.id}`, disabled: Boolean(now.missing) });
      inner.replaceChildren(...(failed(now.making) ? [ended(now.making)] : []), h("div", { class: "run-actions" }, make),
        ...(now.missing ? [h("p", { class: "fine" }, now.missing)] : []));
    }
    show(form);
    return h("div", { class: "take-card", id: `take-form-${form.id}` }, h("b", {}, form.label), h("p", { class: "fine" }, form.help), inner);
  }

  function sizesOf(run, found) {
    const place = h("div", { class: "take-inner", id: "take-sizes" });
    const again = async () => show(await request(path(run, "takealong")));
    function show(now) {
      const { found: sizes, making } = now.sizes;
      const parts = [];
      if (!sizes && now.lengths.length) parts.push(lengthsTable(now));
      if (sizes) parts.push(...sizesShown(sizes));
      else if (making && !ENDED.includes(making.state)) parts.push(follow(making, again));
      else {
        if (failed(making)) parts.push(ended(making));
        parts.push(h("div", { class: "run-actions" }, button("Compare sizes", "plain", () => start(run, "sizes", place, again), { id: "take-weigh" })));
      }
      place.replaceChildren(...parts);
      const chart = place.querySelector(".chart");
      if (chart) charts.draw(chart, plot(sizes));
    }
    show(found);
    return place;
  }

  function lengthsTable(now) {
    return h("div", { class: "take-table" }, h("table", { id: "take-lengths" }, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Numbers kept"), h("th", { scope: "col" }, now.metric))),
      h("tbody", {}, ...now.lengths.map((one) => h("tr", {}, h("th", { scope: "row" }, String(one.dimension)), h("td", {}, one.value.toFixed(3)))))));
  }

  function sizesShown(sizes) {
    const lengths = [...new Set(sizes.sizes.map((size) => size.dimension))];
    const kinds = [...new Set(sizes.sizes.map((size) => size.precision))];
    const best = sizes.best === null ? null : sizes.sizes[sizes.best];
    const cell = (length, kind) => {
      const size = sizes.sizes.find((one) => one.dimension === length && one.precision === kind);
      return h("td", { class: size === best ? "best" : "" }, size.value === null ? "\u2013" : size.value.toFixed(3), h("small", {}, ` ${size.bytes.toLocaleString("en")} B`));
    };
    const row = (length) => {
      const trained = sizes.sizes.find((one) => one.dimension === length).trained;
      const name = trained ? String(length) : h("span", { class: "tip faint", tabindex: "0", "data-tip": "The model was not trained to be cut to this length." }, String(length));
      return h("tr", {}, h("th", { scope: "row" }, name), ...kinds.map((kind) => cell(length, kind)));
    };
    const tips = {
      "int8": "Each number in 8 bits: 256 levels between the least and the greatest.",
      "binary": "Each number in one bit, its sign; texts are compared by how many bits are equal.",
      "binary, rescored": "The 40 best by bits are compared once more, with the query's own numbers.",
    };
    const head = (kind) => h("th", { scope: "col" }, tips[kind] ? h("span", { class: "tip", tabindex: "0", "data-tip": tips[kind] }, kind) : kind);
    const where = sizes.corpus_size ? `, each searched in ${sizes.corpus_size.toLocaleString("en")} texts` : "";
    const of = sizes.heldout_rows < sizes.of_rows ? ` of ${sizes.of_rows.toLocaleString("en")}` : "";
    return [
      h("p", { class: "take-sentence" }, sizes.sentence),
      h("div", { class: "chart", role: "img", "aria-label": `${sizes.label} against bytes of a text; the table says the same` }),
      h("div", { class: "take-table" }, h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Numbers kept"), ...kinds.map(head))), h("tbody", {}, ...lengths.map(row)))),
      h("p", { class: "fine" }, `${sizes.label} and the bytes of one text, on ${sizes.heldout_rows.toLocaleString("en")}${of} held-out rows${where}.`),
    ];
  }

  function plot(sizes) {
    const kinds = [...new Set(sizes.sizes.map((size) => size.precision))];
    const data = kinds.map((kind) => {
      const points = sizes.sizes.filter((size) => size.precision === kind && size.value !== null);
      return { x: points.map((p) => p.bytes), y: points.map((p) => p.value), text: points.map((p) => `${p.dimension} numbers`), name: kind, role: ROLE[kind],
        line: { dash: kind === "binary" ? "dot" : "solid" }, type: "scatter", mode: "lines+markers", hovertemplate: `%{text}, %{x} bytes: %{y:.3f}<extra>${kind}</extra>` };
    });
    const full = sizes.sizes[0].bytes;
    const ticks = [...new Set(sizes.sizes.map((size) => size.bytes))].filter((n) => Number.isInteger(Math.log2(full / n) / 2)); // each fourth of the one before
    return { data, layout: { showlegend: true, xaxis: { title: "bytes a text", type: "log", tickvals: ticks, ticktext: ticks.map((n) => n.toLocaleString("en")) }, yaxis: { title: sizes.label } } };
  }

  function snippetsOf({ snippets: all, address }) {
    const here = new URL(".", location.href).href.replace(/\/$/, "");
    const code = h("pre", { tabindex: "0", "aria-label": "Program" });
    const needs = h("p", { class: "fine" });
    const copy = button("Copy", "plain small", async () => {
      try {
        await navigator.clipboard.writeText(code.textContent);
        copy.textContent = "Copied";
      } catch { // no clipboard without https, or without permission
        getSelection().selectAllChildren(code);
        copy.textContent = "Selected: press Ctrl+C";
      }
      setTimeout(() => { copy.textContent = "Copy"; }, 2500);
    }, { id: "take-copy" });
    const choose = all.map((one) => button(one.label, "plain small", () => show(one), { "data-snippet": one.id }));
    function show(one) {
      code.textContent = one.code.replaceAll(address, here);
      needs.textContent = one.needs;
      for (const each of choose) each.setAttribute("aria-pressed", String(each.dataset.snippet === one.id));
    }
    show(all[0]);
    return h("div", { class: "take-inner take-snippets" }, h("div", { class: "take-choose", role: "group", "aria-label": "Language" }, ...choose, copy), code, needs);
  }

  function hubOf(run, found) {
    const { hub } = found;
    const place = h("div", { class: "take-inner", id: "take-hub" });
    const open = button("Push to the hub", "plain", () => dialog(run, place, begun), { id: "take-push", disabled: !hub.allowed });
    const line = h("div");
    function begun(push) {
      if (push) watch(push);
    }
    async function watch(push) {
      show(push);
      if (push.over) return;
      setTimeout(async () => {
        if (!place.isConnected) return;
        const now = await request(path(run, "push")).catch(() => null);
        watch(now && now.push ? now.push : push);
      }, 700);
    }
    function show(push) {
      open.disabled = !push.over;
      if (push.url) line.replaceChildren(h("div", { class: "notice info", role: "status" }, h("strong", {}, `Uploaded, ${push.private ? "private" : "public"}.`), h("span", {}, push.url)));
      else if (push.message) line.replaceChildren(notice("error", push.message, push.hint));
      else {
        const bar = h("progress", { max: "100", "aria-label": "Upload" });
        if (push.total) bar.value = (100 * push.done) / push.total;
        const stop = button("Stop", "plain", () => { stop.disabled = true; request(path(run, "push/stop"), "POST", {}).catch(() => null); });
        line.replaceChildren(h("div", { class: "making-line making" }, h("div", { class: "progress-line" }, h("span", {}, [push.words, push.total ? `${bytes(push.done)} of ${bytes(push.total)}` : ""].filter(Boolean).join(" \u00b7 ")), bar), stop));
      }
    }
    place.append(h("div", { class: "run-actions" }, open), line);
    if (!hub.allowed) place.append(h("p", { class: "fine" }, "Whoever hosts this studio has switched uploads off. Download the zip, and upload it yourself."));
    for (const one of hub.history) place.append(h("p", { class: "fine" }, `${new Date(one.when * 1000).toLocaleString()}: ${one.url} (${one.private ? "private" : "public"})`));
    if (hub.push) watch(hub.push);
    return place;
  }

  /** Asks for a name, a token and who may see it; says what will be uploaded. The token is forgotten when it is sent. */
  async function dialog(run, place, begun) {
    const { hub } = await request(path(run, "takealong"));
    const name = h("input", { type: "text", id: "push-name", placeholder: "your-name/your-model", autocomplete: "off", spellcheck: "false", oninput: () => able() });
    const token = h("input", { type: "password", id: "push-token", autocomplete: "off", placeholder: "hf_...", oninput: () => able() });
    const tick = (id, label, checked = false) => {
      const box = h("input", { type: "checkbox", id, onchange: () => say() });
      box.checked = checked;
      return { box, label: h("label", { class: "take-tick" }, box, label) };
    };
    const open = tick("push-public", "Public: everybody may see and download it");
    const update = tick("push-update", "Into a repository that is there already (files of the same names are replaced)");
    const examples = tick("push-examples", "Show three rows of the data in the card");
    const forms = hub.forms.map((form) => ({ form, ...tick(`push-${form.id}`, `With ${form.label}`) }));
    const list = h("ul", { class: "push-files", tabindex: "0", "aria-label": "Files" });
    const told = h("p", { class: "fine" });
    const wrong = h("div");
    const send = button("Upload", "primary", upload, { id: "push-send" });
    const box = h("dialog", { class: "sure push-dialog", onclose: () => { token.value = ""; box.remove(); } },
      h("h4", {}, "Push to the hub"),
      h("label", {}, "Repository", name),
      h("label", {}, "Token", token),
      h("p", { class: "fine" }, "A token that may write, from hf.co/settings/tokens. It is used for this upload and kept nowhere."),
      open.label, update.label, ...forms.map((each) => each.label), examples.label,
      h("b", {}, "What will be uploaded"), list, told, wrong,
      h("div", { class: "run-actions" }, button("Cancel", "plain", () => box.close()), send));
    function say() {
      const files = [...hub.files, ...forms.filter((each) => each.box.checked).flatMap((each) => each.form.files)];
      list.replaceChildren(...files.map((file) => h("li", {}, h("span", {}, file.name), h("span", {}, bytes(file.bytes)))));
      const total = bytes(files.reduce((sum, file) => sum + file.bytes, 0));
      const rows = examples.box.checked ? "three rows of your data, in the card" : "no row of your data";
      const who = open.box.checked ? "Everybody will see these files" : "You alone will see these files";
      told.textContent = `${files.length} files, ${total}; ${rows}. ${who}, with the card: the verdict, the name of your dataset, its number of rows and languages, and the settings.`;
      send.textContent = open.box.checked ? "Upload for everybody" : "Upload";
    }
    const able = () => { send.disabled = !(name.value.trim() && token.value.trim()); };
    async function upload() {
      send.disabled = true;
      wrong.replaceChildren();
      const wish = { name: name.value, token: token.value, private: !open.box.checked, update: update.box.checked, examples: examples.box.checked,
        forms: forms.filter((each) => each.box.checked).map((each) => each.form.id) };
      try {
        const { push } = await request(path(run, "push"), "POST", wish);
        box.close();
        begun(push);
      } catch (error) {
        wrong.replaceChildren(notice("error", error.message, error.hint));
        send.disabled = false;
      }
    }
    say();
    able();
    place.append(box);
    box.showModal();
    name.focus();
  }
})();
