// What every tab needs: the page's address, keyboard control of the tab bar, a page that notices a restarted server.
"use strict";
window.studio = (() => {
  const SHOWN = { start: [], data: ["dataset"], train: ["dataset"], runs: ["run", "compare", "board"], search: ["run", "corpus", "q", "columns", "how"], admin: [] };
  const asked = new URLSearchParams(location.search);
  const ids = { dataset: asked.get("dataset") || "", run: asked.get("run") || "", corpus: asked.get("corpus") || "",
    compare: asked.get("compare") || "", board: asked.get("board") || "" };
  for (const name of SHOWN.search.slice(2)) ids[name] = asked.get(name) || "";
  let tab = asked.get("tab") in SHOWN ? asked.get("tab") : "start";
  // The server opens the tab that the address asks for; until then the first one is open and must not be written.
  let settled = tab === "start";

  /** Run when there is a body, now or later: Gradio adds these scripts after the page has loaded. */
  const ready = (run) => (document.body ? run() : document.addEventListener("DOMContentLoaded", run));

  /** A path of the server as this page has to ask it: the studio may lie under a path of its host, and is one page at its root. */
  const at = (path) => (path.startsWith("/") ? `.${path}` : path);

  /** An element with attributes and children; strings become text, never HTML. */
  function h(name, attributes = {}, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
      else if (value === true) element.setAttribute(key, "");
      else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, key === "href" || key === "src" ? at(value) : value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  }

  function write() {
    if (!settled) return;
    const query = new URLSearchParams();
    if (tab !== "start") query.set("tab", tab);
    const instead = tab === "runs" && (ids.compare || ids.board); // a comparison stands in the place of a run
    for (const name of SHOWN[tab]) if (ids[name] && !(instead && name === "run")) query.set(name, ids[name]);
    for (const [name, value] of new URLSearchParams(location.search)) if (name.startsWith("__")) query.set(name, value);
    const text = query.toString().replaceAll("%2C", ",");
    history.replaceState(history.state, "", text ? `?${text}` : location.pathname);
  }

  /** Note chosen ids; whoever shows them is told. */
  function remember(chosen) {
    Object.assign(ids, chosen);
    write();
    window.dispatchEvent(new CustomEvent("studio:chosen", { detail: { ...ids } }));
  }

  const tabButtons = () => [...document.querySelectorAll('#tabs [role="tab"]')].filter((b) => b.offsetParent !== null);

  /** Follow the tab bar, whoever moved it. */
  function watchTabs() {
    const selected = tabButtons().find((b) => b.getAttribute("aria-selected") === "true");
    const name = selected && selected.dataset.tabId;
    if (name === tab) settled = true;
    if (settled && name in SHOWN && name !== tab) {
      tab = name;
      write();
    }
  }

  document.addEventListener("pointerdown", ({ target }) => {
    if (target instanceof Element && target.closest('[role="tab"]')) settled = true;
  });

  /** A button that fills in a field of a form: data-set names the field, data-value what is typed into it. */
  document.addEventListener("click", ({ target }) => {
    const button = target instanceof Element && target.closest("button[data-set]");
    const field = button && document.querySelector(`#${CSS.escape(button.dataset.set)} input`);
    if (!field) return;
    field.value = button.dataset.value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.dispatchEvent(new Event("change", { bubbles: true }));
  });

  document.addEventListener("keydown", (event) => {
    if (!(event.target instanceof Element) || event.target.getAttribute("role") !== "tab") return;
    const buttons = tabButtons();
    const here = buttons.indexOf(event.target);
    const there = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (there === undefined || here < 0) return;
    event.preventDefault();
    const button = buttons[(there + buttons.length) % buttons.length];
    settled = true;
    button.focus();
    button.click();
  });

  /** GET or send JSON; an answer that is an error throws with the server's own words. */
  async function request(path, method = "GET", body = undefined) {
    const answer = await fetch(at(path), {
      method,
      headers: body === undefined ? {} : { "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const isJson = (answer.headers.get("content-type") || "").includes("json");
    const content = isJson ? await answer.json() : await answer.text();
    if (answer.ok) return content;
    const error = new Error((isJson && content.message) || "The server did not answer as expected.");
    error.hint = (isJson && content.hint) || "";
    error.status = answer.status;
    throw error;
  }

  // A restarted server knows nothing of the form on this page: load it again. What was chosen is in the address.
  let boot = null;
  async function watchServer() {
    if (document.hidden) return;
    try {
      const { boot: now } = await request("/healthz");
      if (boot !== null && boot !== now) location.reload();
      boot = now;
      document.documentElement.classList.remove("offline");
    } catch {
      document.documentElement.classList.add("offline");
    }
  }

  ready(() => {
    document.body.append(
      h("div", { class: "offline-note", role: "status" }, "The server does not answer. Runs go on; this page waits."),
    );
    new MutationObserver(watchTabs).observe(document.body, {
      subtree: true, childList: true, attributes: true, attributeFilter: ["aria-selected"],
    });
    watchServer();
    setInterval(watchServer, 4000);
  });

  /** About how long, in words. */
  function duration(seconds) {
    if (seconds === null || seconds === undefined || !isFinite(seconds)) return "";
    if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
    const minutes = Math.round(seconds / 60);
    if (minutes < 90) return `${minutes} min`;
    return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  }

  /**
   * A fold on the page of a run: { id, title, order, wanted: (run) => whether this run has it, show: (body, run) => fill it }.
   * It is filled when it is opened first, and again when the run has changed its end. Runs that others share have
   * folds with `shared: true` only: the rest asks for what belongs to the owner alone. `title` may be a function of the run.
   */
  const runParts = [];
  function runPart(part) {
    runParts.push(part);
    runParts.sort((one, other) => one.order - other.order);
  }

  return { ready, at, h, ids, remember, request, duration, runParts, runPart };
})();
