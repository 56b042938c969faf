// Comforts for the forms that log something. Without this file everything still works: "add" goes to the server.
//
// 1. "Add another" adds an empty row at once.
// 2. Enter goes on to the next field instead of pressing a button: a scanner ends every label with Enter.
// 3. Choosing a batch sets its measure.
// 4. What is typed survives a reload, a dead network or an expired login: it is kept in this tab (sessionStorage), and
//    forgotten when the entry is logged, on logout, or when the tab is closed.

const form = document.querySelector("form[data-entry-form]");
const NOT_KEPT = new Set(["csrf_token", "add"]);

const keyOf = (path) => `magnet-ledger draft ${path}`;

function addRow(kind) {
  const rows = form.querySelectorAll(`[data-row="${kind}"]`);
  const last = rows[rows.length - 1];
  const index = rows.length;
  const row = last.cloneNode(true);
  for (const node of row.querySelectorAll(".error")) node.remove();
  for (const node of row.querySelectorAll("[name], [id], [for], [aria-describedby]")) {
    for (const attribute of ["name", "id", "for", "aria-describedby"]) {
      const value = node.getAttribute(attribute);
      if (value) node.setAttribute(attribute, value.replace(new RegExp(`^((?:note-|error-)?${kind})-\\d+-`), `$1-${index}-`));
    }
    if (node.hasAttribute("aria-invalid")) node.removeAttribute("aria-invalid");
  }
  for (const input of row.querySelectorAll("input")) input.value = "";
  for (const select of row.querySelectorAll("select")) select.selectedIndex = 0;
  const number = row.querySelector("[data-number]");
  if (number) number.textContent = String(index + 1);
  last.after(row);
  return row;
}

function keep() {
  const values = [...new FormData(form)].filter(([name]) => !NOT_KEPT.has(name));
  sessionStorage.setItem(keyOf(location.pathname), JSON.stringify(values));
}

function restore() {
  const kept = sessionStorage.getItem(keyOf(location.pathname));
  if (!kept) return;
  for (const [name, value] of JSON.parse(kept)) {
    const row = /^([a-z]+)-(\d+)-/.exec(name);
    if (row && form.querySelector(`[data-row="${row[1]}"]`)) {
      while (!form.elements.namedItem(name) && form.querySelectorAll(`[data-row="${row[1]}"]`).length <= Number(row[2])) {
        addRow(row[1]);
      }
    }
    const field = form.elements.namedItem(name);
    // A batch that is used up by now is no longer in the list; leave the field as it is.
    if (field && !(field instanceof HTMLSelectElement && ![...field.options].some((option) => option.value === value))) {
      field.value = value;
      field.closest("details")?.setAttribute("open", "");
    }
  }
  form.querySelector("[data-restored]").hidden = false;
}

if (form) {
  // The server's own copy, with its messages, goes before ours.
  if (form.dataset.entryForm === "fresh") restore();
  document.getElementById("summary")?.focus();
  form.addEventListener("input", keep);
  form.addEventListener("click", (event) => {
    const button = event.target.closest("button[name='add']");
    if (!button) return;
    event.preventDefault();
    addRow(button.value).querySelector("input, select").focus();
    keep();
  });
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.matches("input, select")) return;
    event.preventDefault();
    const stops = [...form.querySelectorAll("input:not([type='hidden']), select, button[name='log']")].filter(
      (stop) => stop.offsetParent !== null,
    );
    stops[stops.indexOf(event.target) + 1]?.focus();
  });
  form.addEventListener("change", (event) => {
    const chosen = event.target.matches("[data-stock]") && event.target.selectedOptions[0].dataset.measure;
    if (chosen) form.elements.namedItem(event.target.name.replace("batch_id", "measure")).value = chosen;
  });
  form.querySelector("[data-discard]")?.addEventListener("click", (event) => {
    event.preventDefault();
    sessionStorage.removeItem(keyOf(location.pathname));
    location.reload();
  });
}

// The page after an entry says which form it came from.
const logged = document.querySelector("[data-logged-from]");
if (logged) sessionStorage.removeItem(keyOf(logged.dataset.loggedFrom));

document.querySelector("form[action='/logout']")?.addEventListener("submit", () => sessionStorage.clear());
