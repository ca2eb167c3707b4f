// The Admin tab, filled from /api/admin. Polls only while it can be seen. Whatever people or their files say is set as text.
"use strict";
window.studio.mountAdmin = (element) => {
  const { h, request, duration } = window.studio;
  const root = element.querySelector(".admin");
  const EVERY_S = 3;
  const STATES = {
    open: ["Open", "Runs start as soon as it is their turn."],
    paused: ["Paused", "Nothing more starts; what runs goes on."],
    draining: ["Running empty", "Nothing new is taken; what waits and runs is finished."],
  };
  const ROLES = { admin: "looks after the others", member: "has things of their own", viewer: "sees what is shared and searches" };
  const button = (label, kind, onclick) => h("button", { type: "button", class: `button ${kind}`, onclick }, label);
  const size = (mb) => (mb >= 1000 ? `${(mb / 1000).toFixed(1)} GB` : `${Math.round(mb)} MB`);
  const day = (text) => new Date(text).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
  const trouble = h("div", { class: "notice error", role: "alert", hidden: true });
  const done = h("p", { class: "sr", role: "status" });
  let now = null;

  async function attempt(action) {
    trouble.hidden = true;
    try {
      await action();
      await look();
    } catch (error) {
      trouble.hidden = false;
      trouble.replaceChildren(h("strong", {}, error.message), h("span", {}, error.hint || ""));
      trouble.scrollIntoView({ block: "nearest" });
    }
  }

  function table(heads, rows, empty) {
    if (!rows.length) return h("p", { class: "fine" }, empty);
    return h("div", { class: "admin-table", tabindex: "0", role: "region", "aria-label": heads[0] }, h("table", {},
      h("thead", {}, h("tr", {}, ...heads.map((head) => h("th", { scope: "col" }, head)))),
      h("tbody", {}, ...rows.map((cells) => h("tr", {}, ...cells.map((cell, i) =>
        h(i ? "td" : "th", { scope: i ? null : "row", "data-label": heads[i] }, cell ?? "")))))));
  }

  /** One part of the tab; it is drawn again only when what it shows has changed, so that nothing jumps under the pointer. */
  function part(title, draw) {
    const body = h("div", { class: "admin-body" });
    let shown = "";
    return { box: h("section", { class: "admin-part" }, h("h3", {}, title), body), renew(data) {
      const key = JSON.stringify(data);
      if (key === shown) return;
      shown = key;
      body.replaceChildren(...draw(data).filter(Boolean));
    } };
  }

  const queue = part("Queue", ({ state, who, since, runs }) => [
    h("div", { class: "admin-switch", role: "group", "aria-label": "Queue" }, ...Object.entries(STATES).map(([id, [label]]) =>
      h("button", { type: "button", "aria-pressed": String(state === id), onclick: () => attempt(() => request("/api/admin/queue", "POST", { state: id })) }, label))),
    h("p", { class: "fine" }, STATES[state][1] + (who && state !== "open" ? ` Switched by ${who}, ${new Date(since).toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" })}.` : "")),
    table(["Run", "Owner", "State", "Starts", "Memory", "Where"], runs.map((run) => [
      run.name, run.owner,
      h("span", { class: `state ${run.state}` }, run.state === "queued" ? `place ${run.position}` : run.state),
      run.state !== "queued" ? "" : run.starts_in_s === null ? "not known" : run.starts_in_s < 1 ? "now" : `in ${duration(run.starts_in_s)}`,
      run.memory_mb === null ? "" : size(run.memory_mb), run.device || run.message,
    ]), "Nothing runs and nothing waits."),
  ]);

  const machine = part("Machine", ({ gpus, disk }) => [
    ...gpus.found.map((gpu) => h("div", { class: "admin-gpu" }, h("b", {}, gpu.name),
      meter(`Memory: ${size(gpu.used_mb)} of ${size(gpu.memory_mb)}`, gpu.used_mb / gpu.memory_mb),
      gpu.utilisation === null ? null : meter(`Busy: ${gpu.utilisation} %`, gpu.utilisation / 100),
      gpu.temperature === null ? null : h("span", {}, `${gpu.temperature} °C`))),
    gpus.problem ? h("p", { class: "fine" }, gpus.problem) : null,
    meter(`Disk: ${size(disk.total_mb - disk.free_mb)} of ${size(disk.total_mb)} used, ${size(disk.free_mb)} free`, 1 - disk.free_mb / disk.total_mb),
  ]);

  function meter(label, share) {
    return h("div", { class: "admin-meter" }, h("span", {}, label),
      h("progress", { max: "100", value: String(Math.round(100 * Math.min(1, share))), "aria-label": label }));
  }

  const use = part("What people take", ({ use, gpu }) => [
    table(["Owner", "Disk", "Runs", ...(gpu ? ["GPU hours in 30 days"] : [])],
      use.map((one) => [one.owner, size(one.disk_mb), String(one.runs), ...(gpu ? [one.gpu_hours.toFixed(1)] : [])]), "Nobody has anything yet."),
  ]);

  const accounts = part("Accounts", ({ accounts, roles, me }) => [
    table(["Name", "Role", "Since", "", ""], accounts.map((account) => [
      h("span", { class: account.disabled ? "faint" : "" }, account.name + (account.disabled ? " (disabled)" : "")),
      h("select", { "aria-label": `Role of ${account.name}`, onchange: ({ target }) => attempt(async () => {
        try { await change(account.name, { do: "role", role: target.value }); } catch (error) { target.value = account.role; throw error; }
      }) }, ...roles.map((role) => h("option", { value: role, selected: role === account.role }, role))),
      day(account.created), button("New password", "plain", () => ask(account.name)),
      account.name === me ? "" : account.disabled ? button("Enable", "plain", () => attempt(() => change(account.name, { do: "enable" })))
        : button("Disable", "plain", () => attempt(() => change(account.name, { do: "disable" }))),
    ]), "There is no account yet."),
    form(roles),
  ]);

  const change = (name, body) => request(`/api/admin/accounts/${encodeURIComponent(name)}`, "POST", body);
  const field = (label, input) => h("label", {}, label, input);

  function form(roles) {
    const name = h("input", { type: "text", autocomplete: "off", autocapitalize: "none", required: true, maxlength: "64" });
    const password = h("input", { type: "password", autocomplete: "new-password", required: true, minlength: "10" });
    const role = h("select", {}, ...roles.map((id) => h("option", { value: id, selected: id === "member" }, `${id}: ${ROLES[id]}`)));
    return h("form", { class: "admin-form", onsubmit: (event) => {
      event.preventDefault();
      attempt(async () => {
        await request("/api/admin/accounts", "POST", { name: name.value, password: password.value, role: role.value });
        name.value = password.value = "";
      });
    } }, field("Name", name), field("Password, at least 10 characters", password), field("Role", role), h("button", { type: "submit", class: "button primary" }, "Add account"));
  }

  const sure = h("dialog", { class: "sure" });

  function ask(name) {
    const password = h("input", { type: "password", autocomplete: "new-password", required: true, minlength: "10" });
    sure.replaceChildren(h("form", { class: "admin-form", method: "dialog", onsubmit: (event) => {
      event.preventDefault();
      sure.close();
      attempt(() => change(name, { do: "reset", password: password.value }));
    } }, h("p", {}, `A new password for ${name}. Whoever is signed in with it has to sign in again.`), field("Password, at least 10 characters", password),
    h("div", { class: "run-actions" }, button("Cancel", "plain", () => sure.close()), h("button", { type: "submit", class: "button primary" }, "Set it"))));
    sure.showModal();
  }

  // Old checkpoints: looked at when somebody asks, never by themselves
  const days = h("input", { type: "number", min: "0", max: "36500", value: "30", required: true });
  const unfinished = h("input", { type: "checkbox" });
  const preview = h("div", { class: "admin-body" });
  const old = h("section", { class: "admin-part" }, h("h3", {}, "Old checkpoints"),
    h("p", { class: "fine" }, "A run that has ended needs its checkpoints only to go on. Models, verdicts and curves stay."),
    h("form", { class: "admin-form", onsubmit: (event) => { event.preventDefault(); attempt(showOld); } },
      field("Ended at least so many days ago", days),
      h("label", { class: "tick" }, unfinished, "Failed and stopped runs too: they cannot be resumed afterwards"),
      h("button", { type: "submit", class: "button plain" }, "Show what would go")), preview);

  async function showOld() {
    const policy = { days: Number(days.value), unfinished: unfinished.checked };
    const { runs } = await request(`/api/admin/checkpoints?days=${policy.days}&unfinished=${policy.unfinished}`);
    const total = size(runs.reduce((sum, run) => sum + run.mb, 0));
    preview.replaceChildren(table(["Run", "Owner", "Ended", "Frees"], runs.map((run) => [run.name, run.owner, day(run.ended), size(run.mb)]), "There are none: nothing would be freed."),
      ...(runs.length ? [button(`Remove them: ${total} become free`, "danger", () => confirmOld(policy, runs, total))] : []));
  }

  function confirmOld(policy, runs, total) {
    const many = `${runs.length} run${runs.length === 1 ? "" : "s"}`;
    sure.replaceChildren(h("p", {}, `Remove the checkpoints of ${many} for good? ${total} become free. This cannot be undone.`),
      h("div", { class: "run-actions" }, button("Keep them", "plain", () => sure.close()), button("Remove them", "danger", () => {
        sure.close();
        attempt(async () => {
          const { freed_mb } = await request("/api/admin/checkpoints", "POST", { ...policy, runs: runs.map((run) => run.run_id) });
          preview.replaceChildren(h("p", { class: "fine", role: "status" }, `${size(freed_mb)} are free now.`));
        });
      })));
    sure.showModal();
  }

  root.replaceChildren(trouble, done, queue.box, machine.box, use.box, accounts.box, old, sure);

  async function look() {
    now = await request("/api/admin");
    queue.renew(now.queue);
    machine.renew({ gpus: now.gpus, disk: now.disk });
    use.renew({ use: now.use, gpu: now.gpus.found.length > 0 });
    accounts.box.hidden = !now.has_accounts;
    if (now.has_accounts && !accounts.box.contains(document.activeElement)) accounts.renew({ accounts: now.accounts, roles: now.roles, me: now.me });
    root.setAttribute("aria-busy", "false");
  }

  async function tick() {
    if (!root.isConnected) { clearInterval(timer); return; }
    if (document.hidden || root.offsetParent === null) return;
    await look().catch(() => {});
  }
  const timer = setInterval(tick, EVERY_S * 1000);
  new IntersectionObserver(tick).observe(element);
};
