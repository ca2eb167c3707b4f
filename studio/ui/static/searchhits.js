// Hits side by side: words that match, what a score means, where a hit stands in the other columns, lines between them.
"use strict";
(() => {
  const { h } = window.studio;
  const SVG = "http://www.w3.org/2000/svg";
  const MARKS = [["good", "Right", "This answers the query"], ["bad", "Wrong", "This does not answer the query"], ["first", "Should be first", "The best answer: what stands above it is not as good"]];

  /** Text with the words at ``spans`` (in characters) marked; text nodes only. */
  function marked(text, spans) {
    const letters = Array.from(text); // as the server counts: by characters, not by UTF-16 units
    const parts = [];
    let at = 0;
    for (const [begin, end] of spans) {
      parts.push(letters.slice(at, begin).join(""), h("mark", {}, letters.slice(begin, end).join("")));
      at = end;
    }
    parts.push(letters.slice(at).join(""));
    return parts.filter((part) => part !== "");
  }

  function explained(hit, column) {
    const share = hit.percentile === null ? "" : `${column.kind === "keyword" ? "more than" : "closer than"} ${hit.percentile.toFixed(hit.percentile > 99 ? 2 : 1)} % of the texts`;
    if (column.kind === "keyword") return ["BM25 ", hit.score.toFixed(2), share];
    if (hit.similarity === null) return ["", "by keywords only", ""];
    return ["", hit.similarity.toFixed(3), share];
  }

  /** Where the hit stands in the column that others are compared with. */
  function move(hit, column, reference, last) {
    if (!reference || column.kind === "keyword") return null;
    if (column.id === reference.id) {
      if (!last) return null;
      const there = hit.ranks[last.id];
      if (there === undefined) return h("span", { class: "move gone" }, "not among the first there");
      return there === hit.rank ? null : h("span", { class: "move faint" }, `place ${there} in the last column`);
    }
    const before = hit.ranks[reference.id];
    if (before === undefined) return h("span", { class: "move up", title: `Not among the first hits of ${reference.label}` }, "new");
    if (before === hit.rank) return h("span", { class: "move faint" }, "same place");
    const up = before > hit.rank;
    const by = Math.abs(before - hit.rank);
    const words = `${up ? "up" : "down"} ${by} place${by === 1 ? "" : "s"} from ${reference.label}`;
    return h("span", { class: `move ${up ? "up" : "down"}`, role: "img", "aria-label": words, title: words }, `${up ? "▲" : "▼"}${by}`);
  }

  function fields(hit) {
    const known = Object.entries(hit.fields);
    return known.length ? h("p", { class: "hit-fields" }, known.map(([name, value]) => `${name}: ${value}`).join(" · ")) : null;
  }

  window.studio.hitBody = (hit) => [
    hit.title ? h("b", { class: "hit-title" }, ...marked(hit.title, hit.title_marks)) : null,
    h("p", { title: hit.whole ? null : "A part of a longer text" }, ...marked(hit.text, hit.marks), hit.whole ? null : h("span", { class: "faint" }, " …")),
    fields(hit),
  ];

  function same(root, document, on) {
    for (const other of root.querySelectorAll(`[data-document="${document}"]`)) other.classList.toggle("linked", on);
  }

  function draw(root, found, { detail, marked: told, complain }) {
    const { request } = window.studio;
    const reference = found.columns.find((column) => column.id.startsWith("base:")) || found.columns.find((column) => column.kind === "model");
    const models = found.columns.filter((column) => column.kind === "model");
    const last = models.length > 1 ? models[models.length - 1] : null;
    let marks = found.marks || {};

    async function mark(hit, above, kind) {
      const text = textOf(hit);
      const next = marks[text] === kind ? "" : kind;
      try {
        const sent = { version: detail.version, query: found.query, mark: next, document: hit.document, span: hit.span, above };
        const summary = await request(`/api/corpora/${detail.id}/marks`, "POST", sent);
        marks = summary.marks;
        paint();
        told(summary);
      } catch (error) {
        complain(error);
      }
    }

    // A mark belongs to a text: the server names those of this query by their beginning, title and all.
    const textOf = (hit) => hit.key;

    const buttons = [];
    function markButtons(hit, above) {
      return h("div", { class: "hit-marks", role: "group", "aria-label": "What do you say of this hit?" }, ...MARKS.map(([kind, words, explanation]) => {
        const button = h("button", { type: "button", title: explanation, onclick: () => mark(hit, above, kind) }, words);
        buttons.push([button, hit, kind]);
        return button;
      }));
    }

    function paint() {
      for (const [button, hit, kind] of buttons) button.setAttribute("aria-pressed", String(marks[textOf(hit)] === kind));
    }

    const sections = found.columns.map((column) => {
      const top = Math.max(...column.hits.map((hit) => hit.score), 1e-6);
      const items = column.hits.map((hit, at) => {
        const [kind, score, share] = explained(hit, column);
        const above = column.hits.slice(0, at).map((each) => each.document);
        const item = h("li", { "data-document": hit.document, tabindex: "0", class: "hit" }, h("span", { class: "rank" }, String(hit.rank)),
          h("div", {}, ...window.studio.hitBody(hit),
            h("div", { class: "score" }, bar(hit.score / top), h("span", {}, kind + score), share ? h("span", { class: "share" }, share) : null, move(hit, column, reference, last)),
            markButtons(hit, above)));
        for (const [event, on] of [["mouseenter", true], ["focusin", true], ["mouseleave", false], ["focusout", false]]) item.addEventListener(event, () => same(root, hit.document, on));
        return item;
      });
      const empty = column.kind === "keyword" ? "No text has any of these words." : "No text is similar enough, or passes the filters.";
      return h("section", { "data-column": column.id, "aria-label": column.label }, h("h3", {}, column.label, column.note ? h("span", {}, column.note) : null),
        items.length ? h("ol", {}, ...items) : h("p", { class: "fine" }, empty));
    });
    const lines = document.createElementNS(SVG, "svg");
    lines.setAttribute("class", "hit-lines");
    lines.setAttribute("aria-hidden", "true");
    const grid = h("div", { class: "hits", style: `--columns: ${sections.length}` }, ...sections, lines);
    root.replaceChildren(h("div", { class: "hits-scroll" }, grid));
    paint();
    const redraw = () => connect(grid, lines);
    new ResizeObserver(redraw).observe(grid);
    redraw();
  }

  function bar(share) {
    const inner = h("i");
    inner.style.width = `${Math.round(100 * Math.max(0, Math.min(1, share)))}%`;
    return h("span", { class: "bar" }, inner);
  }

  /** A line from a hit to the same one in the next column: level, up or down. */
  function connect(grid, lines) {
    const frame = grid.getBoundingClientRect();
    lines.replaceChildren();
    lines.setAttribute("width", String(grid.scrollWidth));
    lines.setAttribute("height", String(frame.height));
    const sections = [...grid.querySelectorAll("section")];
    sections.slice(1).forEach((right, at) => {
      const left = sections[at];
      if (right.getBoundingClientRect().left < left.getBoundingClientRect().right) return; // one below the other
      for (const item of right.querySelectorAll("li")) {
        const other = left.querySelector(`li[data-document="${item.dataset.document}"]`);
        if (!other) continue;
        const [from, to] = [other.getBoundingClientRect(), item.getBoundingClientRect()];
        const [x1, x2] = [left.getBoundingClientRect().right - frame.left, right.getBoundingClientRect().left - frame.left];
        const [y1, y2] = [from.top + 20 - frame.top, to.top + 20 - frame.top];
        const rank = (row) => Number(row.querySelector(".rank").textContent);
        const way = rank(item) === rank(other) ? "level" : rank(item) < rank(other) ? "up" : "down";
        const path = document.createElementNS(SVG, "path");
        path.setAttribute("d", `M${x1},${y1} C${(x1 + x2) / 2},${y1} ${(x1 + x2) / 2},${y2} ${x2},${y2}`);
        path.setAttribute("class", way);
        path.dataset.document = item.dataset.document;
        lines.append(path);
      }
    });
  }

  window.studio.drawHits = draw;
})();
