"use strict";
// The page is complete without this: here are the filter, folds that open for links and for print, and keyboard access
// to boxes that scroll.
(() => {
  const form = document.getElementById("filter");
  const rows = [...document.querySelectorAll(".claims tr.claim")];
  const groups = [...document.querySelectorAll(".claims tbody")];

  function filter() {
    const words = form.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const verdict = form.elements.verdict.value;
    const family = form.elements.family.value;
    let found = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !(
        (!verdict || row.dataset.verdict === verdict) &&
        (!family || row.parentElement.dataset.family === family) &&
        words.every((word) => text.includes(word))
      );
      found += row.hidden ? 0 : 1;
    }
    for (const group of groups) group.hidden = !group.querySelector("tr.claim:not([hidden])");
    document.getElementById("found").textContent = `${found} of ${rows.length} claims`;
  }

  form.hidden = false;
  form.addEventListener("input", filter);
  form.addEventListener("reset", () => setTimeout(filter));
  form.addEventListener("submit", (event) => event.preventDefault());
  filter();

  function reachable() {
    for (const box of document.querySelectorAll(".scroll, .contents")) {
      if (box.scrollWidth > box.clientWidth + 1) {
        box.tabIndex = 0;
        if (!box.matches("nav, dd")) {
          box.setAttribute("role", "group");
          box.setAttribute("aria-label", "Scrolls sideways");
        }
      }
    }
  }
  reachable();
  addEventListener("resize", reachable);
  document.addEventListener("toggle", reachable, true);

  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("article > details:not([open])")];
    for (const fold of closed) fold.open = true;
  });
  addEventListener("afterprint", () => {
    for (const fold of closed) fold.open = false;
  });
})();
