// What was forgotten: base and tuned model in the check of general ability.
"use strict";
window.studio.runPart({
  id: "forgotten", title: "What was forgotten", order: 40, shared: true,
  wanted: (run) => Boolean(run.verdict && run.verdict.general),
  show(body, run) {
    const { h } = window.studio;
    const found = run.verdict.general;
    const number = (value) => value.toFixed(2);
    const change = ({ base, tuned }) => {
      const size = number(Math.abs(tuned - base));
      return Number(size) ? `${tuned > base ? "+" : "\u2212"}${size}` : size;
    };
    const rows = found.parts.map((part) => h("tr", {},
      h("th", { scope: "row" }, h("span", { class: "tip", tabindex: "0", "data-tip": part.help }, part.label)),
      h("td", {}, String(part.questions)), h("td", {}, number(part.base)), h("td", {}, number(part.tuned)),
      h("td", {}, h("b", {}, change(part)))));
    body.replaceChildren(
      h("p", {}, found.sentence),
      found.advice.length ? h("ul", { class: "advice" }, ...found.advice.map((words) => h("li", {}, words))) : "",
      rows.length ? h("div", { class: "seen-table" }, h("table", {}, h("thead", {}, h("tr", {},
        ...["Asked for", "Questions", "Base", "Tuned", "Change"].map((title) => h("th", { scope: "col" }, title)))), h("tbody", {}, ...rows))) : "",
      h("p", { class: "fine" }, "Questions that have nothing to do with your texts: 200 definitions and 150 examples of a dictionary (WordNet), " +
        "and translations (Tatoeba) for models that know the language. The figure is nDCG@10: 1 means that the right answer always stands on top."));
  },
});
