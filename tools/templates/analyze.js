// A click on the head of a column sorts by it, and a second one the other way round.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    head.querySelector("button")?.addEventListener("click", () => {
      const isNumber = head.classList.contains("num");
      const was = head.getAttribute("aria-sort");
      const down = was === null ? isNumber : was === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => {
        const cell = row.cells[column];
        return isNumber ? Number(cell.dataset.key ?? -1) : cell.textContent;
      };
      const order = (a, b) => (isNumber ? a - b : a.localeCompare(b, "en", { numeric: true }));
      const rows = [...table.tBodies[0].rows];
      rows.sort((a, b) => (down ? order(key(b), key(a)) : order(key(a), key(b))));
      table.tBodies[0].append(...rows);
    });
  });
}
