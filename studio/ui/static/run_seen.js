// What the models see: how alike they find texts that belong together and others, and held-out texts on a plane.
"use strict";
(() => {
  const { h, request, charts } = window.studio;
  const MODELS = { base: "Base model", tuned: "Tuned model" };
  const percent = (value) => `${Math.round(100 * value)} %`;
  const tip = (words, help) => h("span", { class: "tip", tabindex: "0", "data-tip": help }, words);

  async function show(body, run) {
    body.replaceChildren(h("p", { class: "fine" }, "One moment."));
    let found;
    try {
      found = await request(`/api/runs/${encodeURIComponent(run.id)}/seen`);
    } catch (error) {
      body.replaceChildren(h("div", { class: "notice error", role: "alert" }, h("strong", {}, error.message), h("span", {}, error.hint || "")));
      return;
    }
    body.replaceChildren();
    if (found.seen) similarities(body, found.seen);
    else body.append(h("p", { class: "fine" }, "There are no two kinds of pairs to compare here."));
    if (found.map) map(body, found.map);
    else body.append(h("p", { class: "fine" }, "There are too few texts for a map."));
  }

  // Similarities

  function similarities(body, seen) {
    const bins = seen.base.positives.shares.length;
    const edge = (bin) => -1 + (2 * bin) / bins;
    const sides = ["base", "tuned"].flatMap((model) => [seen[model].positives.shares, seen[model].negatives.shares]);
    const filled = sides[0].map((_, bin) => bin).filter((bin) => sides.some((shares) => shares[bin] > 0));
    const range = [edge(Math.min(...filled) - 1), edge(Math.max(...filled) + 2)];
    const top = 1.08 * Math.max(...sides.flat());
    const plots = ["base", "tuned"].map((model) => {
      const line = (name, role, side) => ({
        x: side.shares.map((_, bin) => (edge(bin) + edge(bin + 1)) / 2), y: side.shares, name, role, type: "scatter", mode: "lines",
        fill: "tozeroy", opacity: 0.85, line: { shape: "hvh", width: 1.5 }, hovertemplate: `%{y:.1%} at %{x:.2f}<extra>${name}</extra>`,
      });
      const plot = h("div", { class: "chart", id: `seen-${model}` });
      const figure = {
        data: [line("do not", "second", seen[model].negatives), line("belong together", "main", seen[model].positives)],
        layout: { showlegend: true, xaxis: { title: "similarity", range }, yaxis: { range: [0, top], tickformat: ".0%" } },
      };
      return { plot, figure, box: h("figure", {}, h("figcaption", {}, h("b", {}, MODELS[model])), plot) };
    });
    const number = (value) => value.toFixed(2).replace("-", "\u2212");
    const times = (share) => (100 * share).toFixed(share > 0.99 || share < 0.01 ? 1 : 0);
    const row = (name, help, values, shown) => h("tr", {}, h("th", { scope: "row" }, tip(name, help)), ...values.map((value) => h("td", {}, shown(value))));
    const both = (read) => [read(seen.base), read(seen.tuned)];
    body.append(
      h("p", {}, `A pair that belongs together is more alike than one that does not in ${times(seen.tuned.told_apart)} of 100 cases, was ${times(seen.base.told_apart)}. ` +
        "The less the two shapes overlap, the better."),
      h("div", { class: "charts seen-pair" }, ...plots.map((one) => one.box)),
      h("div", { class: "seen-table" }, h("table", {}, h("thead", {}, h("tr", {}, ...["", "Base", "Tuned"].map((title) => h("th", { scope: "col" }, title)))), h("tbody", {},
        row("Similarity of pairs that belong together", "The mean cosine: 1 is the same direction, 0 nothing in common.", both((one) => one.positives.mean), number),
        row("Similarity of pairs that do not", "The same of pairs that do not belong together.", both((one) => one.negatives.mean), number),
        row("Alignment", "How far apart texts lie that belong together: their mean squared distance. 0 is the same place; lower is better.", both((one) => one.alignment), number),
        row("Uniformity", "How evenly all texts use the space. 0 is all in one place; the further below zero, the more evenly they spread.", both((one) => one.uniformity), number)))),
      h("p", { class: "fine" }, `${seen.base.positives.pairs.toLocaleString("en")} pairs that belong together, ${seen.base.negatives.pairs.toLocaleString("en")} that do not. ${seen.negatives} ` +
        "Alignment and uniformity as in Wang & Isola (2020): a good model has both low; a model that only pulls texts together loses the second."));
    for (const { plot, figure } of plots) charts.draw(plot, figure);
  }

  // The map

  function map(body, found) {
    const pick = h("select", { "aria-label": "Colours", onchange: () => draw() }, ...found.colourings.map((one, place) => h("option", { value: String(place) }, one.label)));
    const legend = h("ul", { class: "seen-legend" });
    const sides = ["base", "tuned"].map((model) => ({ model, plot: h("div", { class: "chart", id: `seen-map-${model}`, role: "img", "aria-label": `Map of held-out texts, ${MODELS[model].toLowerCase()}` }), at: [] }));
    const most = 1.06 * Math.max(...sides.flatMap(({ model }) => found[model].flat().map(Math.abs)));
    const labels = found.text.map(lines);
    const drawn = new Set(found.row).size;
    const some = drawn < found.rows ? `${drawn.toLocaleString("en")} of ${found.rows.toLocaleString("en")} held-out rows, drawn by chance. ` : "";
    body.append(
      h("div", { class: "seen-head" }, h("h4", {}, "Map of held-out texts"), found.colourings.length ? h("label", {}, "Colours ", pick) : null),
      h("div", { class: "charts seen-pair seen-map" }, ...sides.map(({ model, plot }) => h("figure", {}, h("figcaption", {}, h("b", {}, MODELS[model])), plot))),
      legend,
      h("p", { class: "fine" }, `${some}Each point is a text: circles ask, diamonds are what belongs to them. Point at one to read it and to see where it stands in the other picture. ` +
        `The two directions in which texts differ most hold ${percent(found.held[0])} (base) and ${percent(found.held[1])} (tuned) of what differs: texts that are near here may be far apart. ` +
        "The tuned model's picture is turned so that it lies over the other as well as it can."));
    let leading = false; // a point that is shown in the other picture does not answer back

    function draw() {
      const colouring = found.colourings[Number(pick.value)];
      const groups = colouring ? colouring.groups : [["", ""]];
      const numbered = groups.map(([id, label], place) => ({ id, label, role: roleOf(colouring, id, place) }));
      legend.replaceChildren(...(colouring ? numbered.map(({ label, role }) => h("li", {}, h("i", { class: `seen-${role}` }), label)) : []));
      for (const side of sides) {
        side.at = new Array(found.text.length);
        const data = numbered.map(({ id, role }, curve) => {
          const points = found.text.map((_, place) => place).filter((place) => !colouring || colouring[side.model][place] === id);
          points.forEach((place, at) => { side.at[place] = [curve, at]; });
          return {
            x: points.map((place) => found[side.model][place][0]), y: points.map((place) => found[side.model][place][1]),
            text: points.map((place) => labels[place]), customdata: points, role, type: "scatter", mode: "markers", opacity: role === "faint" ? 0.5 : 0.8,
            marker: { size: 7, symbol: points.map((place) => (id === "wrong" ? "x" : found.kind[place] === "asked" ? "circle" : "diamond-open")) },
            hovertemplate: "%{text}<extra></extra>",
          };
        });
        const axis = { range: [-most, most], showticklabels: false, showgrid: false, zeroline: false, showline: false, ticks: "" };
        const figure = { data, layout: { xaxis: axis, yaxis: { ...axis, scaleanchor: "x" }, uirevision: "map" } };
        charts.draw(side.plot, figure).then(() => listen(side));
      }
    }

    function listen(side) {
      if (side.listens || !side.plot.on) return;
      side.listens = true;
      const other = sides.find((one) => one !== side);
      side.plot.on("plotly_hover", (event) => {
        const at = other.at[event.points[0].customdata];
        if (leading || !at || !other.plot.on) return;
        leading = true;
        window.Plotly.Fx.hover(other.plot, [{ curveNumber: at[0], pointNumber: at[1] }]);
        leading = false;
      });
      side.plot.on("plotly_unhover", () => other.plot.on && window.Plotly.Fx.unhover(other.plot));
    }

    draw();
  }

  function roleOf(colouring, id, place) {
    if (!colouring) return "main";
    if (id === "other" && place) return "faint";
    if (colouring.id === "right") return { right: "good", wrong: "bad" }[id];
    return `group-${place}`;
  }

  /** A text for Plotly, which reads some HTML: escaped, in lines of about 60 characters. */
  function lines(text) {
    const rows = [""];
    for (const word of text.split(" ").flatMap((one) => one.match(/.{1,60}/gu) || [""])) {
      if (rows.at(-1) && rows.at(-1).length + word.length > 60) rows.push(word);
      else rows[rows.length - 1] += (rows.at(-1) ? " " : "") + word;
    }
    return rows.map((row) => row.replace(/[&<>]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[sign])).join("<br>");
  }

  window.studio.runPart({ id: "seen", title: "What the model sees", order: 35, wanted: (run) => run.has_evidence, show });
})();
