// The page behind a demo link. Whatever the server says is set as text.
"use strict";
(() => {
  const at = (id) => document.getElementById(id);
  const make = (name, kind, text) => Object.assign(document.createElement(name), { className: kind, textContent: text });
  let turn = 0; // an answer that belongs to an earlier query is thrown away

  function hit(found, after) {
    const line = document.createElement("li");
    const body = document.createElement("div");
    const score = make("p", "score", found.score.toFixed(3));
    const move = moved(found, after);
    if (move) score.append(move);
    body.append(make("p", "text", found.text), score);
    line.append(make("span", "rank", String(found.rank)), body);
    return line;
  }

  function moved({ rank, other }, after) {
    if (other === rank) return null;
    if (!after) return make("span", "faint", other ? `place ${other} after training` : "not found after training");
    if (!other) return make("span", "up", "new");
    const by = Math.abs(other - rank);
    return make("span", other > rank ? "up" : "down", `${other > rank ? "up" : "down"} ${by} place${by === 1 ? "" : "s"}`);
  }

  function say(message, hint) {
    at("notice").hidden = !message;
    at("notice").replaceChildren(make("b", "", message || ""), ` ${hint || ""}`);
  }

  async function search() {
    const mine = (turn += 1);
    const query = at("query").value.trim();
    if (!query) return;
    document.body.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(`${location.pathname.replace(/\/$/, "")}/search`, {
        method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ query }),
      });
      const found = await answer.json().catch(() => ({}));
      if (mine !== turn) return;
      if (!answer.ok) {
        if (answer.status === 404) { location.reload(); return; }
        say(found.message || "The server did not answer as expected.", found.hint);
        return;
      }
      say("");
      for (const side of ["before", "after"]) at(side).replaceChildren(...found[side].map((one) => hit(one, side === "after")));
      at("hits").hidden = false;
      at("foot").hidden = false;
      at("foot").textContent = `${found.texts.toLocaleString("en")} texts searched by both models in ${Math.round(found.seconds * 1000)} ms. ` +
        "Scores are compared within a column, not between the two.";
    } catch {
      if (mine === turn) say("The server does not answer.", "Try again in a moment.");
    } finally {
      if (mine === turn) document.body.removeAttribute("aria-busy");
    }
  }

  at("ask").addEventListener("submit", (event) => { event.preventDefault(); search(); });
})();
