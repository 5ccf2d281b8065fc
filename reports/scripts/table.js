/* The table of every point: sorted by a click on a heading, filtered by status. */

/** The columns shown at once, after the axes, unless they are zero at every point; all others stand
 *  behind "all columns". */
const main_columns = new Map([
  ["days", "days"],
  ["cost", "cost"],
  ["energy_mwh", "energy MWh"],
  ["meets_deadline", "meets deadline"],
  ["on_pareto_front", "Pareto front"],
  ["tokens_per_s", "tokens/s"],
  ["step_time_ms", "step ms"],
  ["savings_kept_percent", "savings kept %"],
  ["actual_speedup", "actual speedup"],
  ["ideal_speedup", "ideal speedup"],
  ["compute_ms", "compute ms"],
  ["ep_exposed_ms", "EP exposed ms"],
  ["pp_bubble_ms", "PP bubble ms"],
  ["tp_exposed_ms", "TP exposed ms"],
  ["dp_exposed_ms", "DP exposed ms"],
  ["mfu_percent", "MFU %"],
  ["memory_gib_per_gpu", "memory GiB"],
  ["bottleneck", "bottleneck"],
]);

const has_status = table_columns.includes("status");
const shown_main = has_status ? [...main_columns.keys()].filter((column) =>
  table_columns.includes(column) && (ok_rows.length === 0 || ok_rows.some((row) => row[column]))) : table_columns;
/** The columns that a page of paper has room for. */
const paper_columns = 9;
/** The rows that stand on paper: the fastest, or the first of a table without throughput. */
const paper_rows = new Set([...ok_rows].sort((a, b) => (b.tokens_per_s ?? 0) - (a.tokens_per_s ?? 0)).slice(0, 24));
const shown_extra = table_columns.filter((column) =>
  ![...axes, ...shown_main, "status", "reason"].includes(column));
const sorting = { column: null, descending: false };
/** Whether the rows that did not run are shown each, rather than one for all of a status. */
let unfolded = table_rows.every((row) => !is_ok(row));

/** Four significant digits, thousands kept whole; text as it is. */
function cell_text(value) {
  if (value === null || value === undefined) return "";
  if (typeof value !== "number" || Number.isInteger(value)) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && size < 0.001) return value.toExponential(2);
  return value.toFixed(size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : 3);
}

/** An element with text and classes. */
function element(tag, text, classes = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = classes;
  return made;
}

/** Whether a column holds words rather than numbers. */
function is_text(column) {
  return table_rows.some((row) => typeof row[column] === "string");
}

/** Sorts by a column; a second time, the other way round. */
function sort_by(column, cell) {
  sorting.descending = sorting.column === column && !sorting.descending;
  sorting.column = column;
  for (const other of cell.parentElement.children) other.removeAttribute("aria-sort");
  cell.setAttribute("aria-sort", sorting.descending ? "descending" : "ascending");
  show_table_state();
  fill_table();
}

/** A heading that sorts by its column. Not a button element: with one inside, a printed table does
 *  not repeat its headings on the next page. */
function heading(column, title, classes) {
  const cell = element("th", "", `${classes} ${is_text(column) ? "text" : ""}`);
  const label = element("span", title, "sort");
  label.setAttribute("role", "button");
  label.tabIndex = 0;
  label.title = column;
  label.addEventListener("click", () => sort_by(column, cell));
  label.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    sort_by(column, cell);
  });
  cell.scope = "col";
  cell.append(label);
  return cell;
}

/** Rows by the chosen column, empty cells last, ties in the order of the file. */
function sorted_rows(rows) {
  const { column, descending } = sorting;
  if (!column) return rows;
  const sign = descending ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [left, right] = [a[column] ?? null, b[column] ?? null];
    if (left === null || right === null) return (left === null) - (right === null);
    if (typeof left === "number" && typeof right === "number") return sign * (left - right);
    return sign * String(left).localeCompare(String(right), "en", { numeric: true });
  });
}

/** A point's row. One that did not run says why across its empty results. */
function table_row(row) {
  const line = element("tr", "", `${is_ok(row) ? "" : "not-ok"} ${paper_rows.has(row) ? "" : "screen"}`);
  line.id = `row-${row.number}`;
  line.append(element("td", row.number, "number"));
  for (const axis of axes) line.append(element("td", cell_text(row[axis]), is_text(axis) ? "text" : ""));
  if (has_status) line.append(element("td", row.status, "text status"));
  if (is_ok(row)) {
    shown_main.forEach((column, i) => line.append(element("td", cell_text(row[column]), `${is_text(column) ? "text" : ""} ${i < paper_columns ? "" : "screen"}`)));
    for (const column of shown_extra) line.append(element("td", cell_text(row[column]), is_text(column) ? "text extra" : "extra"));
    return line;
  }
  const reason = element("td", row.reason ?? "", "reason");
  reason.colSpan = Math.max(1, shown_main.length);
  line.append(reason);
  for (const column of shown_extra) line.append(element("td", cell_text(row[column]), "extra"));
  return line;
}

/** One row for all that did not run for the same cause: it shows them when it is pressed. */
function folded_row(status, rows) {
  const line = element("tr", "", "folded");
  const cell = element("td", "");
  cell.colSpan = 2 + axes.length + shown_main.length;
  const button = element("button", `${rows.length} rows ${status}: show them`);
  button.type = "button";
  button.addEventListener("click", () => { unfolded = true; fill_table(); });
  cell.append(button);
  line.append(cell);
  return line;
}

/** Whether some cell of a row has a text. */
function contains(row, text) {
  return Object.values(row).some((value) => String(value ?? "").toLowerCase().includes(text));
}

/** The rows that the filters let through, in the chosen order; those that did not run folded, unless
 *  they are asked for. */
function fill_table() {
  const status = document.getElementById("status-filter").value;
  const text = document.getElementById("text-filter").value.toLowerCase();
  const rows = sorted_rows(table_rows.filter((row) =>
    (status === "" || row.status === status) && (text === "" || contains(row, text))));
  const folds = !unfolded && status === "";
  const body = document.createElement("tbody");
  body.append(...rows.filter((row) => !folds || is_ok(row)).map(table_row));
  if (folds)
    for (const [cause, members] of group_by(rows.filter((row) => !is_ok(row)), (row) => row.status))
      body.append(folded_row(cause, members));
  document.querySelector("#table tbody").replaceWith(body);
  document.getElementById("row-count").textContent = `${rows.length} of ${table_rows.length} rows`;
}

/** Keeps the table's filters and order in the address. */
function show_table_state() {
  const values = {
    status: document.getElementById("status-filter").value, text: document.getElementById("text-filter").value,
    sort: sorting.column ?? "", down: sorting.descending ? "1" : "",
  };
  state.show(Object.fromEntries(Object.entries(values).filter(([, value]) => value !== "")));
}

/** Filters and sorts as the address says. */
function restore_table_state() {
  document.getElementById("status-filter").value = state.get("status") ?? "";
  document.getElementById("text-filter").value = state.get("text") ?? "";
  sorting.column = state.get("sort");
  sorting.descending = state.get("down") !== null;
}

/** Shows one row, marked, whatever hid it. */
function mark_row(number) {
  if (!document.getElementById(`row-${number}`)) {
    document.getElementById("status-filter").value = "";
    document.getElementById("text-filter").value = "";
    unfolded = true;
    fill_table();
  }
  document.querySelector("#table tr.marked")?.classList.remove("marked");
  const line = document.getElementById(`row-${number}`);
  line?.classList.add("marked");
  line?.scrollIntoView({ block: "center" });
}

/** Builds the table once: headings, filter, rows. */
function build_table() {
  table_rows.forEach((row, i) => { row.number = i + 1; });
  const head = document.createElement("tr");
  head.append(heading("number", "#", ""));
  for (const axis of axes) head.append(heading(axis, axis_title(axis), ""));
  if (has_status) head.append(heading("status", "status", ""));
  shown_main.forEach((column, i) => head.append(heading(column, main_columns.get(column) ?? column.replaceAll("_", " "), i < paper_columns ? "" : "screen")));
  for (const column of shown_extra) head.append(heading(column, column.replaceAll("_", " "), "extra"));
  const table = document.getElementById("table");
  table.createTHead().append(head);
  table.append(document.createElement("tbody"));
  const filter = document.getElementById("status-filter");
  filter.append(new Option(`all (${table_rows.length})`, ""));
  for (const [status, rows] of group_by(table_rows, (row) => row.status))
    filter.append(new Option(`${status} (${rows.length})`, status));
  for (const one of [filter, document.getElementById("text-filter")])
    one.addEventListener("input", () => { show_table_state(); fill_table(); });
  filter.parentElement.hidden = !has_status;
  document.getElementById("all-columns").addEventListener("change", (event) =>
    table.classList.toggle("all", event.target.checked));
  restore_table_state();
  fill_table();
}
