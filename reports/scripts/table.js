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

const shown_main = [...main_columns.keys()].filter((column) =>
  table_columns.includes(column) && (ok_rows.length === 0 || ok_rows.some((row) => row[column])));
const shown_extra = table_columns.filter((column) =>
  ![...axes, ...shown_main, "status", "reason"].includes(column));
const sorting = { column: null, descending: false };

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
  const line = element("tr", "", row.status === "ok" ? "" : "not-ok");
  line.append(element("td", row.number, "number"));
  for (const axis of axes) line.append(element("td", cell_text(row[axis]), is_text(axis) ? "text" : ""));
  line.append(element("td", row.status, "text status"));
  if (row.status === "ok") {
    for (const column of shown_main) line.append(element("td", cell_text(row[column]), is_text(column) ? "text" : ""));
    for (const column of shown_extra) line.append(element("td", cell_text(row[column]), is_text(column) ? "text extra" : "extra"));
    return line;
  }
  const reason = element("td", row.reason ?? "", "reason");
  reason.colSpan = Math.max(1, shown_main.length);
  line.append(reason);
  for (const column of shown_extra) line.append(element("td", cell_text(row[column]), "extra"));
  return line;
}

/** The rows that the filter lets through, in the chosen order. */
function fill_table() {
  const status = document.getElementById("status-filter").value;
  const rows = sorted_rows(table_rows.filter((row) => status === "" || row.status === status));
  const body = document.createElement("tbody");
  body.append(...rows.map(table_row));
  document.querySelector("#table tbody").replaceWith(body);
  document.getElementById("row-count").textContent = `${rows.length} of ${table_rows.length} rows`;
}

/** Builds the table once: headings, filter, rows. */
function build_table() {
  table_rows.forEach((row, i) => { row.number = i + 1; });
  const head = document.createElement("tr");
  head.append(heading("number", "#", ""));
  for (const axis of axes) head.append(heading(axis, axis_title(axis), ""));
  head.append(heading("status", "status", ""));
  for (const column of shown_main) head.append(heading(column, main_columns.get(column), ""));
  for (const column of shown_extra) head.append(heading(column, column.replaceAll("_", " "), "extra"));
  const table = document.getElementById("table");
  table.createTHead().append(head);
  table.append(document.createElement("tbody"));
  const filter = document.getElementById("status-filter");
  filter.append(new Option(`all (${table_rows.length})`, ""));
  for (const [status, rows] of group_by(table_rows, (row) => row.status))
    filter.append(new Option(`${status} (${rows.length})`, status));
  filter.addEventListener("change", fill_table);
  document.getElementById("all-columns").addEventListener("change", (event) =>
    table.classList.toggle("all", event.target.checked));
  fill_table();
}
