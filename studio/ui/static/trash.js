// What was deleted can be brought back: at once by a notice at the foot of the page, later from a fold on the Runs tab.
"use strict";
(() => {
  const { h, at, request, ready } = window.studio;
  const SECONDS = 20;
  let notice = null;

  function place() {
    notice ??= document.body.appendChild(h("div", { class: "undo-note", role: "status", id: "undo-note", hidden: true }));
    return notice;
  }

  async function undo(one) {
    try {
      await request(`/api/trash/${one.kind}/${encodeURIComponent(one.id)}/undo`, "POST", {});
      hide();
      if (one.kind === "dataset") { location.assign(at(`/?tab=data&dataset=${encodeURIComponent(one.id)}`)); return; }
      window.dispatchEvent(new CustomEvent("studio:restored", { detail: one }));
    } catch (error) {
      say(h("span", {}, error.message));
    }
  }

  function hide() {
    place().hidden = true;
  }

  let leaving = 0;
  function say(...content) {
    const box = place();
    box.replaceChildren(...content, h("button", { type: "button", class: "text-button", "aria-label": "Close this notice", onclick: hide }, "×"));
    box.hidden = false;
    clearTimeout(leaving);
    const leave = () => { if (box.matches(":hover, :focus-within")) leaving = setTimeout(leave, 3000); else hide(); };
    leaving = setTimeout(leave, 1000 * SECONDS);
  }

  /** Offer to undo the deletion that was just made: the newest of its kind, if it is new indeed. */
  window.studio.offerUndo = async (kind) => {
    const { deleted, days } = await request("/api/trash");
    const one = deleted.find((each) => each.kind === kind);
    if (!one || Date.now() - new Date(one.deleted) > 60_000) return;
    say(h("span", {}, `'${one.name}' was deleted. `, h("small", {}, `It can be brought back for ${period(days)}.`)),
      h("button", { type: "button", class: "button plain small", id: "undo-delete", onclick: () => undo(one) }, "Undo"));
  };

  function period(days) {
    const count = days < 1 ? Math.max(1, Math.round(days * 24)) : Math.round(days);
    const unit = days < 1 ? "hour" : "day";
    return `${count} ${unit}${count === 1 ? "" : "s"}`;
  }

  function left(until) {
    return period(Math.max(0, (new Date(until) - Date.now()) / 86_400_000));
  }

  function size(mb) {
    return mb < 1000 ? `${Math.max(1, Math.round(mb))} MB` : `${(mb / 1000).toFixed(1)} GB`;
  }

  /** The fold; it is not there while nothing was deleted. */
  window.studio.trashFold = () => {
    const summary = h("summary");
    const lines = h("ul", { class: "deleted" });
    const empty = h("button", { type: "button", class: "button plain small", id: "trash-empty", onclick: () => sure(
      "Remove all of these for good?", () => act("DELETE", "")) }, "Remove all for good");
    const trouble = h("div", { class: "notice error", role: "alert", hidden: true });
    const dialog = h("dialog", { class: "sure" });
    const element = h("details", { id: "deleted-runs", class: "trash", hidden: true }, summary, trouble, lines, h("div", { class: "run-actions" }, empty), dialog);
    let known = "";

    function sure(question, then) {
      dialog.replaceChildren(h("p", {}, question), h("div", { class: "run-actions" },
        h("button", { type: "button", class: "button plain", onclick: () => dialog.close() }, "Keep"),
        h("button", { type: "button", class: "button danger", onclick: () => { dialog.close(); then(); } }, "Remove for good")));
      dialog.showModal();
    }

    async function act(method, path) {
      try {
        await request(`/api/trash${path}`, method);
        trouble.hidden = true;
      } catch (error) {
        trouble.hidden = false;
        trouble.replaceChildren(h("strong", {}, error.message), h("span", {}, error.hint || ""));
      }
      refresh();
    }

    function line(one) {
      const about = [one.kind === "run" ? `Run on ${one.about}` : "Dataset", size(one.size_mb), `goes in ${left(one.until)}`].join(" · ");
      return h("li", {}, h("div", {}, h("b", {}, one.name), h("small", {}, about)),
        h("div", { class: "run-actions" },
          h("button", { type: "button", class: "button plain small", "aria-label": `Bring back ${one.name}`, onclick: () => undo(one) }, "Bring back"),
          h("button", { type: "button", class: "button plain small", "aria-label": `Remove ${one.name} for good`, onclick: () => sure(
            `Remove '${one.name}' for good?`, () => act("DELETE", `/${one.kind}/${encodeURIComponent(one.id)}`)) }, "Remove for good")));
    }

    async function refresh() {
      const { deleted } = await request("/api/trash").catch(() => ({ deleted: null }));
      if (!deleted) return;
      const key = JSON.stringify(deleted.map((one) => [one.id, left(one.until)]));
      if (key === known) return;
      known = key;
      element.hidden = deleted.length === 0;
      const words = deleted.some((one) => one.kind === "dataset") ? "Deleted runs and datasets" : "Deleted runs";
      summary.textContent = `${words} (${deleted.length})`;
      lines.replaceChildren(...deleted.map(line));
    }

    refresh();
    return { element, refresh };
  };

  ready(place);
})();
