"use strict";
(() => {
  const all = (what, within = document) => [...within.querySelectorAll(what)];

  // Tables: a button in each header that may rank; numbers sort as numbers, what is absent last.
  const value = (cell) => {
    const number = cell && cell.dataset.sort;
    return number === undefined ? null : Number(number);
  };
  const sort = (table, head, column) => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    const numeric = head.classList.contains("n");
    const body = table.tBodies[0];
    const compare = (one, other) => {
      const [a, b] = [one.cells[column], other.cells[column]];
      if (!numeric) {
        const order = a.textContent.localeCompare(b.textContent, "en", { numeric: true });
        return up ? order : -order;
      }
      const [x, y] = [value(a), value(b)];
      if (x === null || y === null) return (x === null) - (y === null);
      return up ? x - y : y - x;
    };
    body.append(...[...body.rows].sort(compare));
    for (const other of table.tHead.rows[0].cells) {
      if (other.querySelector("button")) other.setAttribute("aria-sort", "none");
    }
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
  };
  for (const table of all("main table")) {
    if (table.tBodies.length !== 1 || table.tBodies[0].rows.length < 2) continue;
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      if (head.classList.contains("unranked")) {
        head.title = "Estimates and models are not ranked.";
        return;
      }
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      head.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => sort(table, head, column));
    });
  }

  // Points of the figures say their values, to the mouse and to the keyboard.
  const tip = document.getElementById("tip");
  let current = null;
  const hide = () => { current = null; tip.hidden = true; };
  const show = (dot) => {
    current = dot;
    tip.textContent = dot.getAttribute("aria-label");
    tip.hidden = false;
    const at = dot.querySelector(".reach").getBoundingClientRect();
    const left = at.left + at.width / 2 - tip.offsetWidth / 2;
    const above = at.top - tip.offsetHeight - 6;
    tip.style.left = `${Math.max(8, Math.min(left, innerWidth - tip.offsetWidth - 8))}px`;
    tip.style.top = `${above < 50 ? at.bottom + 6 : above}px`;
  };
  for (const dot of all(".dot")) {
    dot.querySelector("title").remove();
    dot.addEventListener("mouseenter", () => show(dot));
    dot.addEventListener("focus", () => show(dot));
    dot.addEventListener("mouseleave", hide);
    dot.addEventListener("blur", hide);
  }
  addEventListener("scroll", () => current && show(current), { passive: true });
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    hide();
    const contents = document.querySelector(".toc");
    if (contents.open) {
      contents.open = false;
      contents.querySelector("summary").focus();
    }
  });

  // Light and dark: what the system says, until the reader says otherwise.
  const theme = document.getElementById("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (document.documentElement.dataset.theme || (dark.matches ? "dark" : "light")) === "dark";
  const name = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
  theme.hidden = false;
  theme.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    name();
  });
  dark.addEventListener("change", name);
  name();

  // Folded parts: all at once, by a link into one, and for printing.
  const parts = all("main details");
  const fold = document.getElementById("fold");
  fold.hidden = parts.length === 0;
  fold.addEventListener("click", () => {
    const open = fold.getAttribute("aria-pressed") !== "true";
    parts.forEach((part) => { part.open = open; });
    fold.setAttribute("aria-pressed", String(open));
  });
  const follow = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (!target) return;
    for (let part = target; part; part = part.parentElement) {
      if (part.tagName === "DETAILS") part.open = true;
    }
    target.scrollIntoView();
  };
  addEventListener("hashchange", follow);
  follow();
  document.querySelector(".toc ol").addEventListener("click", () => {
    document.querySelector(".toc").open = false;
    setTimeout(follow, 0);
  });
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = parts.filter((part) => !part.open);
    closed.forEach((part) => { part.open = true; });
  });
  addEventListener("afterprint", () => closed.forEach((part) => { part.open = false; }));
})();
