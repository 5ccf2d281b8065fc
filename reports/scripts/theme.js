/* Sizes and colours of all charts, for a width in pixels. */

const topology_colours = ["#0072b2", "#d55e00", "#009e73", "#b0569a", "@ink", "#3a9bd9", "#a8790a", "#7f5fc0", "#a83a66", "#8a8a8a"];
const topology_shapes = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left", "circle", "square"];

const light_colours = { ink: "#111111", soft: "#4a4a4a", ground: "#ffffff", grid: "#d9d9d9" };
const dark_colours = { ink: "#f1f3f5", soft: "#b9c0c7", ground: "#14171a", grid: "#3a4148" };
const dark_mode = window.matchMedia("screen and (prefers-color-scheme: dark)");

/** The colours of the page as it is shown. */
function page_colours() {
  return dark_mode.matches && !state.is("summary") && !state.is("export") ? dark_colours : light_colours;
}

/** The size of text for a width: that of the page around it. */
function text_size(room) {
  return room >= 900 ? 16 : room >= 520 ? 14 : 12;
}

/** Vega-Lite's configuration of a chart. */
function theme(room, colours) {
  const size = text_size(room);
  const text = { labelFontSize: size, titleFontSize: size, titleFontWeight: 600, labelColor: colours.ink, titleColor: colours.ink };
  return {
    background: null,
    font: "system-ui, 'Segoe UI', 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif",
    view: { stroke: null },
    text: { fontSize: size - 1, color: colours.ink },
    title: { anchor: "start", fontSize: size + 6, subtitleFontSize: size, color: colours.ink, subtitleColor: colours.soft, offset: 12 },
    axis: { ...text, labelAngle: 0, gridColor: colours.grid, domainColor: colours.ink, tickColor: colours.ink, titlePadding: 8, labelPadding: 5, labelOverlap: true },
    header: { labelFontSize: size + 1, labelFontWeight: 600, labelColor: colours.ink, labelPadding: 8 },
    legend: { ...text, orient: "top", symbolSize: 12 * size, labelLimit: Math.min(320, room - 60), columnPadding: 20, offset: 12, columns: legend_columns(room) },
    facet: { spacing: 24 },
  };
}

/** Legends stand in as many columns as their words have room for. */
function legend_columns(room) {
  return Math.max(1, Math.floor(room / (11 * text_size(room))));
}

/** Calls `visit` for every object in a spec, the inner ones first. */
function walk(node, visit) {
  if (node === null || typeof node !== "object") return;
  Object.values(node).forEach((child) => walk(child, visit));
  if (!Array.isArray(node)) visit(node);
}

/** Replaces the names of the page's colours, "@ink", by the colours. */
function paint(spec, colours) {
  const coloured = (value) => (typeof value === "string" && value.startsWith("@") ? colours[value.slice(1)] ?? value : value);
  walk(spec, (node) => {
    for (const [key, value] of Object.entries(node))
      node[key] = Array.isArray(value) ? value.map(coloured) : coloured(value);
  });
}
