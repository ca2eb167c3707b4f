// Doubtful rows, one at a time: keep or drop with a key or a button. Decisions are sent as they are made.
"use strict";
window.studio.mountReview = (element, trigger) => {
  const { h, request } = window.studio;
  const KEYS = { k: () => decide("keep"), d: () => decide("drop"), arrowleft: () => go(at - 1), arrowright: () => go(at + 1), u: undo };
  let id = "";
  let entries = [];
  let decisions = [];
  let dropped = 0;
  let at = 0;
  let busy = Promise.resolve(); // one request after the other, in the order of the keys

  const said = h("p", { class: "sr", role: "status" });
  const where = h("b");
  const tally = h("span");
  const bar = h("progress", { max: "1", "aria-label": "Rows looked at" });
  const mark = h("span", { class: "state" });
  const number = h("span", { class: "fine" });
  const why = h("p", { class: "review-why" });
  const texts = h("dl", { class: "review-texts" });
  const card = h("div", { class: "review-card", tabindex: "-1", role: "group", "aria-label": "The row to judge" },
    h("div", { class: "review-row" }, number, mark), why, texts);
  const key = (text, letter) => [text, h("kbd", { "aria-hidden": "true" }, letter)];
  const button = (run, hint, kind, ...children) => h("button", { type: "button", class: `button ${kind}`, "aria-keyshortcuts": hint, onclick: run }, ...children);
  const back = button(() => go(at - 1), "ArrowLeft", "plain", ...key("Back", "\u2190"));
  const keep = button(() => decide("keep"), "K", "plain", ...key("Keep", "K"));
  const drop = button(() => decide("drop"), "D", "plain", ...key("Drop", "D"));
  const next = button(() => go(at + 1), "ArrowRight", "plain", ...key("Next", "\u2192"));
  const takeBack = button(undo, "U", "plain", ...key("Undo", "U"));
  const finish = button(makeVersion, null, "primary");
  const notice = h("div", { class: "notice error", role: "alert", hidden: true });
  const body = h("section", { class: "review-body", "aria-label": "Review of doubtful rows" }, said,
    h("div", { class: "review-head" }, where, tally), bar, card,
    h("div", { class: "review-keys" }, keep, drop, back, next, takeBack), notice, h("div", { class: "review-end" }, finish));

  const place = () => element.querySelector(".review");

  function complain(error) {
    notice.hidden = !error;
    if (error) notice.replaceChildren(h("strong", {}, error.message), h("span", {}, error.hint || ""));
  }

  const decided = () => new Map(decisions);

  function show() {
    const entry = entries[at];
    if (!entry) return;
    const known = decided();
    const values = [...known.values()];
    const drops = values.filter((value) => value === "drop").length;
    where.textContent = `${at + 1} of ${entries.length}`;
    tally.textContent = known.size === entries.length
      ? `All looked at: ${values.length - drops} kept, ${drops} dropped`
      : `${values.length - drops} kept, ${drops} dropped, ${entries.length - known.size} to go`;
    bar.value = known.size / entries.length;
    const decision = known.get(at);
    mark.textContent = { keep: "Kept", drop: "Dropped" }[decision] || "";
    mark.className = `state ${{ keep: "succeeded", drop: "failed" }[decision] || ""}`;
    mark.hidden = !decision;
    number.textContent = `Row ${entry.number.toLocaleString("en")}` + (entry.rows > 1
      ? `, and ${(entry.rows - 1).toLocaleString("en")} more with the same two texts: one decision for all` : "");
    why.textContent = entry.why;
    texts.replaceChildren(...entry.cells.map((cell) => h("div", { class: cell.suspected ? "suspected" : "" },
      h("dt", {}, cell.label, cell.suspected ? h("span", { class: "sr" }, ", suspected") : null), h("dd", {}, cell.text))));
    back.disabled = at === 0;
    next.disabled = at === entries.length - 1;
    takeBack.disabled = !decisions.length;
    finish.disabled = !dropped;
    finish.textContent = dropped === 1 ? "Make a new version without the dropped row"
      : dropped ? `Make a new version without the ${dropped.toLocaleString("en")} dropped rows` : "Make a new version without the dropped rows";
  }

  function go(there) {
    at = Math.max(0, Math.min(entries.length - 1, there));
    show();
    said.textContent = entries[at] ? `${where.textContent}. ${mark.textContent} ${why.textContent}` : "";
  }

  function take(answer) {
    decisions = answer.decisions;
    dropped = answer.dropped;
    complain(null);
  }

  /** Rows that the decisions on this page drop; the server's count follows. */
  function count() {
    dropped = [...decided()].reduce((sum, [entry, decision]) => sum + (decision === "drop" ? entries[entry].rows : 0), 0);
  }

  // What is decided shows at once, so that the next key is about the next row; the server hears of it in the same order.
  let waiting = 0;
  // Who leaves while decisions are still on their way is asked.
  window.addEventListener("beforeunload", (event) => { if (waiting) event.preventDefault(); });
  function send(path, sent) {
    const mine = id;
    waiting += 1;
    body.setAttribute("aria-busy", "true");
    busy = busy.then(async () => {
      let answer = null;
      try {
        answer = await request(`/api/reviews/${mine}${path}`, "POST", sent);
      } catch (error) {
        if (mine === id) complain(error);
        answer = await request(`/api/reviews/${mine}`).catch(() => null); // what the server has is what counts
        if (mine === id && answer) { decisions = answer.decisions; dropped = answer.dropped; show(); }
        answer = null;
      }
      waiting -= 1;
      body.setAttribute("aria-busy", String(waiting > 0));
      if (answer && mine === id && !waiting) { take(answer); show(); }
    });
  }

  function decide(decision) {
    decisions = [...decisions, [at, decision]];
    count();
    send("", { entry: at, decision });
    const known = decided();
    let there = at + 1;
    while (there < entries.length && known.has(there)) there += 1;
    go(there < entries.length ? there : at + 1);
  }

  function undo() {
    const last = decisions.at(-1);
    if (!last) return;
    decisions = decisions.slice(0, -1);
    count();
    send("/undo", {});
    go(last[0]);
  }

  async function makeVersion() {
    finish.disabled = true;
    try {
      await busy;
      const { dataset } = await request(`/api/reviews/${id}/finish`, "POST", {});
      trigger("select", { dataset });
    } catch (error) {
      complain(error);
    }
    finish.disabled = !dropped;
  }

  const seen = () => body.isConnected && body.offsetParent !== null;

  /** Keys count while the focus is in the review, or nowhere and the row can be seen. */
  function listening(target) {
    if (!seen() || !entries.length) return false;
    if (body.contains(target)) return true;
    if (target !== document.body) return false;
    const { top, bottom } = card.getBoundingClientRect();
    return top < window.innerHeight && bottom > 0;
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || !listening(event.target)) return;
    const run = KEYS[event.key.toLowerCase()];
    if (!run) return;
    event.preventDefault();
    run();
  });

  async function load() {
    const mine = id;
    body.hidden = true;
    entries = [];
    try {
      const found = await request(`/api/reviews/${mine}`);
      if (mine !== id) return;
      entries = found.entries;
      take(found);
      body.hidden = entries.length === 0;
      const known = decided();
      const first = entries.findIndex((_, entry) => !known.has(entry));
      go(first < 0 ? 0 : first);
    } catch (error) {
      if (mine === id && error.status !== 404) { body.hidden = false; complain(error); }
    }
  }

  // A new value makes the element's content anew: take it over whenever the id is another one, or the content is bare.
  function adopt() {
    const here = place();
    if (!here) return;
    const now = here.dataset.review || "";
    if (now && !here.contains(body)) here.replaceChildren(body);
    if (now === id) return;
    id = now;
    if (id) load();
  }

  new MutationObserver(adopt).observe(element, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-review"] });
  adopt();
};
