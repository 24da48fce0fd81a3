// A table in <div class="presets"> gets a search box, and is sorted by a click on a column's head.
document.querySelectorAll(".presets table").forEach((table) => {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const text = (row, column) => row.cells[column].textContent.trim();
  const number = (value) => (value === "" ? NaN : Number(value.replaceAll(",", "")));

  const search = document.createElement("input");
  search.type = "search";
  search.placeholder = "Search the presets: glow, mnist, nats …";
  search.setAttribute("aria-label", "Search the presets");
  const count = document.createElement("span");
  count.setAttribute("aria-live", "polite");
  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/);
    for (const row of body.rows) row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word));
    count.textContent = `${[...body.rows].filter((row) => !row.hidden).length} of ${body.rows.length}`;
  };
  search.addEventListener("input", filter);
  table.closest(".presets").prepend(search, count);
  filter();

  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const sign = down ? -1 : 1;
      const compare = (a, b) => {
        const [x, y] = [text(a, column), text(b, column)];
        const [m, n] = [number(x), number(y)];
        if (Number.isNaN(m) !== Number.isNaN(n)) return Number.isNaN(m) ? 1 : -1; // what is no number comes last
        return sign * (Number.isNaN(m) ? x.localeCompare(y) : m - n);
      };
      body.append(...[...body.rows].sort(compare));
    });
  });
});
