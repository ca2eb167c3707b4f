// The progress line of a making: a bar, how long it will take, Stop; and a word to the page when it has ended.
"use strict";
window.studio.mountMaking = (element, trigger) => {
  const { h, request, duration } = window.studio;
  const ENDED = ["succeeded", "failed", "cancelled"];
  let id = "";
  let told = "";

  const bar = h("progress", { max: "100" });
  const words = h("span");
  const stop = h("button", { type: "button", class: "button plain", onclick: () => act("/stop") }, "Stop");
  const line = h("div", { class: "making-line" }, h("div", { class: "progress-line" }, words, bar), stop);
  const notice = h("div", { class: "notice", hidden: true });

  const place = () => element.querySelector(".making");
  const seen = () => place() && place().offsetParent !== null && !document.hidden;

  function complain(message, hint, kind) {
    notice.hidden = !message;
    notice.className = `notice ${kind}`;
    notice.replaceChildren(h("strong", {}, message), h("span", {}, hint || ""));
  }

  async function act(path) {
    stop.disabled = true;
    try {
      await request(`/api/makings/${id}${path}`, "POST", {});
    } catch (error) {
      complain(error.message, error.hint, "error");
    }
    look();
  }

  function show(making) {
    const over = ENDED.includes(making.state);
    const share = making.total ? Math.min(100, Math.round((100 * making.done) / making.total)) : 0;
    const count = making.total ? `${making.done.toLocaleString("en")} of ${making.total.toLocaleString("en")}` : "";
    const left = making.eta_s ? `about ${duration(making.eta_s)} left` : "";
    const waits = making.state === "queued" ? "Waiting for its turn" : making.state === "stopping" ? "Stopping" : "";
    words.textContent = [waits || making.words || "Starting", count, left].filter(Boolean).join(" · ");
    bar.setAttribute("aria-label", making.name);
    if (making.total) bar.value = share;
    else bar.removeAttribute("value");
    stop.disabled = making.state === "stopping";
    line.hidden = over;
    const kind = making.state === "failed" ? "error" : making.state === "cancelled" ? "warning" : "info";
    if (over) complain(making.message, making.hint, kind);
    else complain("", "", "info");
    if (over && told !== making.id) {
      told = making.id;
      trigger("select", { making: making.id });
    }
    return over;
  }

  let timer = null;
  async function look() {
    clearTimeout(timer);
    if (!id) return;
    let over = false;
    if (seen()) {
      const asked = id;
      try {
        const making = await request(`/api/makings/${asked}`);
        if (asked === id) over = show(making);
      } catch (error) {
        if (error.status === 404) return void complain("", "", "info");
      }
    }
    if (!over) timer = setTimeout(look, 700);
  }

  // A new value makes the element's content anew: take it over whenever the id is another one, or the content is bare.
  function adopt() {
    const here = place();
    if (!here) return;
    const now = here.dataset.making || "";
    if (now && !here.contains(line)) here.replaceChildren(line, notice);
    if (now === id) return;
    id = now;
    line.hidden = false;
    bar.removeAttribute("value");
    words.textContent = "Starting";
    complain("", "", "info");
    look();
  }

  new MutationObserver(adopt).observe(element, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-making"] });
  adopt();
};
