// Draws figures with Plotly in the page's own colours, light and dark, and keeps zoom over updates.
"use strict";
window.studio.charts = (() => {
  let loading = null;
  const drawn = new Set();

  function load() {
    loading ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = "./plotly.js";
      script.onload = () => resolve(window.Plotly);
      script.onerror = () => {
        loading = null;
        reject(new Error("plotly.js could not be loaded"));
      };
      document.head.append(script);
    });
    return loading;
  }

  function colours() {
    const style = getComputedStyle(document.body);
    const value = (name) => style.getPropertyValue(name).trim();
    return {
      main: value("--studio-main"), faint: value("--studio-faint"), second: value("--studio-second"),
      base: value("--studio-base"), limit: value("--studio-bad"), ink: value("--studio-ink"), grid: value("--studio-grid"),
      font: style.fontFamily, paper: value("--studio-paper"), of: (role) => (role ? value(`--studio-${role}`) : ""),
    };
  }

  function dress(figure) {
    const c = colours();
    const data = figure.data.map(({ role, ...trace }) => {
      const colour = c[role] || c.of(role) || c.main;
      if (trace.type === "bar") return { ...trace, marker: { color: colour } };
      const whiskers = trace.error_x ? { error_x: { ...trace.error_x, color: colour } } : {};
      return { ...trace, ...whiskers, line: { width: 2, ...trace.line, color: colour }, marker: { size: 6, ...trace.marker, color: colour } };
    });
    const axis = {
      gridcolor: c.grid, zerolinecolor: c.grid, linecolor: c.grid, tickcolor: c.grid, automargin: true,
      title: { font: { size: 12 } }, tickfont: { size: 11 },
    };
    const layout = figure.layout || {};
    const titled = (given = {}) => {
      const { title, ...rest } = given;
      return { ...axis, ...rest, title: { text: title || "", font: { size: 12, color: c.ink }, standoff: 8 } };
    };
    return {
      data,
      layout: {
        ...layout,
        paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
        font: { family: c.font, color: c.ink, size: 12 },
        margin: { l: 8, r: 12, t: 10, b: 8 },
        xaxis: titled(layout.xaxis), yaxis: titled(layout.yaxis),
        shapes: (layout.shapes || []).map(({ role, ...shape }) => ({
          ...shape, line: { color: c[role] || c.limit, width: 1.5, dash: "dot" },
        })),
        hoverlabel: { bgcolor: c.paper, bordercolor: c.grid, font: { family: c.font, color: c.ink } },
        legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { size: 12 } },
        showlegend: Boolean(layout.showlegend),
        modebar: { bgcolor: "rgba(0,0,0,0)", color: c.faint, activecolor: c.main, orientation: "h" },
      },
    };
  }

  const CONFIG = {
    displaylogo: false, responsive: true,
    plotlyServerURL: "", // nothing leaves this machine: no upload to Plotly's cloud
    modeBarButtonsToRemove: ["sendChartToCloud", "select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
  };

  /** Draw or update `figure` in `element`. A figure with the same layout.uirevision keeps the person's zoom. */
  async function draw(element, figure) {
    element.studioFigure = figure;
    drawn.add(element);
    const Plotly = await load();
    if (element.studioFigure !== figure || element.clientWidth === 0) return;
    const { data, layout } = dress(figure);
    await Plotly.react(element, data, layout, CONFIG);
  }

  function redrawAll() {
    for (const element of drawn) {
      if (!element.isConnected) drawn.delete(element);
      else draw(element, element.studioFigure);
    }
  }

  // Figures that the server wrote into the page.
  const sizes = new ResizeObserver((entries) => {
    for (const { target } of entries) if (target.clientWidth && !target.querySelector(".plot-container")) drawWritten(target);
  });

  function drawWritten(element) {
    element.studioText = element.dataset.plot;
    draw(element, JSON.parse(element.dataset.plot));
  }

  function findWritten() {
    for (const element of document.querySelectorAll(".plot[data-plot]")) {
      if (element.studioText === element.dataset.plot && element.querySelector(".plot-container")) continue;
      if (element.studioText === element.dataset.plot && element.studioWaiting) continue;
      element.studioWaiting = true;
      sizes.observe(element);
      drawWritten(element);
    }
  }

  window.studio.ready(() => {
    new MutationObserver(findWritten).observe(document.body, {
      subtree: true, childList: true, attributes: true, attributeFilter: ["data-plot"],
    });
    let dark = document.body.classList.contains("dark");
    new MutationObserver(() => {
      if (dark !== (dark = document.body.classList.contains("dark"))) redrawAll();
    }).observe(document.body, { attributes: true, attributeFilter: ["class"] });
    findWritten();
  });

  return { draw };
})();
