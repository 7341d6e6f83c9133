"use strict";
// The page can be read without this. It sorts a table by the column whose head is clicked, shows the arms that are typed, and
// says below a table that it goes on at its side.
for (const box of document.querySelectorAll(".scroll")) {
  const note = document.createElement("p");
  note.className = "note screen goes-on";
  note.textContent = "The table goes on to the right: scroll it.";
  const look = () => { note.hidden = box.scrollWidth <= box.clientWidth + 1; };
  box.after(note);
  look();
  new ResizeObserver(look).observe(box);
}
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0], first = [...body.rows];
  const value = (row, at) => {
    const text = row.cells[at] ? row.cells[at].innerText.trim() : "";
    const number = parseFloat(text.replaceAll(",", "").replace("\u2212", "-"));
    return Number.isNaN(number) ? text : number;
  };
  [...table.tHead.rows[0].cells].forEach((head, at) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const order = {none: "descending", descending: "ascending", ascending: "none"}[head.ariaSort ?? "none"];
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      if (order !== "none") head.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const rows = first.filter(row => !row.classList.contains("prior"));
      if (order !== "none") rows.sort((a, b) => {
        const x = value(a, at), y = value(b, at);
        if (typeof x !== typeof y) return typeof x === "number" ? -1 : 1;
        return sign * (typeof x === "number" ? x - y : x.localeCompare(y));
      });
      body.append(...rows, ...first.filter(row => row.classList.contains("prior")));
    });
  });
}
for (const box of document.querySelectorAll("input.find")) {
  box.hidden = false;
  box.addEventListener("input", () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of document.getElementById(box.dataset.of).tBodies[0].rows) {
      const name = row.cells[0].textContent.toLowerCase();
      row.hidden = !words.every(word => name.includes(word));
    }
  });
}
