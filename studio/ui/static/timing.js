// While steps are being timed for the estimate on Train: looks whether they are done, and asks for the estimate again.
"use strict";
(() => {
  setInterval(async () => {
    const waiting = document.querySelector("#train-estimate [data-timing]");
    if (document.hidden || !waiting || waiting.offsetParent === null) return;
    try {
      const { going_on: goingOn } = await window.studio.request("/api/timings");
      if (!goingOn && waiting.isConnected) {
        waiting.removeAttribute("data-timing");
        document.querySelector("#train-again").click();
      }
    } catch { /* the server is away: the page says so elsewhere */ }
  }, 1500);
})();
