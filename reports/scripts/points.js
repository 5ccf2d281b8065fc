/* The sweep's points, as the charts and the table read them. */

/** The JSON of an element of the page. */
function embedded(id) {
  return JSON.parse(document.getElementById(id).textContent);
}

/** A column's name as a Vega-Lite field: no dots, which would mean nesting. */
function field_of(column) {
  return column.replaceAll(".", "_");
}

/** "../../topologies/hgx-h100-ndr400.toml" is shown as "hgx-h100-ndr400". */
function shown_value(value) {
  if (typeof value !== "string" || !value.endsWith(".toml")) return value;
  return value.split("/").pop().slice(0, -".toml".length);
}

/** The distinct values of a column: numbers ascending, everything else in the order of the table. */
function values_of(rows, column) {
  const values = [...new Set(rows.map((row) => row[column]).filter((value) => value !== null && value !== undefined))];
  return values.every((value) => typeof value === "number") ? values.sort((a, b) => a - b) : values;
}

const table_rows = embedded("data").map((row) =>
  Object.fromEntries(Object.entries(row).map(([column, value]) => [column, shown_value(value)])));
const table_columns = embedded("columns");
const axes = embedded("axes").filter((axis) => table_columns.includes(axis));

/** Whether a row has a result: a table without statuses holds results alone. */
function is_ok(row) {
  return (row.status ?? "ok") === "ok";
}
const ok_rows = table_rows.filter(is_ok);

/** The axes on which the points that ran differ, and their values. */
const axis_values = new Map(axes.map((axis) => [axis, values_of(ok_rows, axis)]));

/** A row as a chart's datum. Without a topology column, all points share one line. */
function datum_of(row) {
  const datum = { cluster_topology: "this cluster" };
  for (const [column, value] of Object.entries(row)) datum[field_of(column)] = value;
  return datum;
}

const points = ok_rows.map(datum_of);

const waterfall_parts = [
  ["compute_ms", "compute"],
  ["ep_exposed_ms", "EP exposed"],
  ["pp_bubble_ms", "PP bubble"],
  ["tp_exposed_ms", "TP exposed"],
  ["dp_exposed_ms", "DP exposed"],
  ["optimizer_ms", "optimizer"],
  ["other_ms", "other"],
];

/** One datum for each part of each point's step, with its place in the stack. */
function waterfall_data() {
  return points.filter((point) => point.step_time_ms > 0).flatMap((point) => {
    let below = 0;
    return waterfall_parts.map(([column, part], part_order) => {
      const share_percent = (100 * point[column]) / point.step_time_ms;
      const share_middle = below + share_percent / 2;
      below += share_percent;
      return { ...point, part, part_order, share_percent, share_middle, time_ms: point[column] };
    });
  });
}

/** Two data for each point: the exposed and the hidden part of its all-to-all. */
function all_to_all_data() {
  return points.filter((point) => typeof point.ep_total_ms === "number").flatMap((point) => {
    const hidden = Math.max(0, point.ep_total_ms - point.ep_exposed_ms);
    const share = Math.round((100 * hidden) / (point.ep_total_ms || 1));
    const common = { ...point, hidden_label: point.ep_total_ms > 0 ? `${share} %` : "" };
    return [
      { ...common, part: "exposed", part_order: 0, time_ms: point.ep_exposed_ms },
      { ...common, part: "hidden", part_order: 1, time_ms: hidden },
    ];
  });
}
