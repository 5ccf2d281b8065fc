/* Charts as files, from a button or for `moesim report --export`: light, 1,200 pixels wide, with
 * their title and choices. */

const picture_scale = 2; // pixels of a PNG for each of an SVG

/** A view, on no page, of a chart as it stands now. */
async function picture_view(name) {
  const { spec } = chart_spec(name, 1160, light_colours);
  const { chosen = [], words = "" } = drawn_charts.get(name) ?? {};
  for (const param of spec.params ?? []) {
    const held = /^held_(\d+)$/.exec(param.name);
    if (held && Number(held[1]) < chosen.length) param.value = chosen[held[1]];
    delete param.bind;
  }
  spec.title = { text: spec.usermeta.title, ...(words ? { subtitle: words } : {}) };
  spec.background = light_colours.ground;
  spec.padding = 20;
  const { view } = await vegaEmbed(document.createElement("div"), spec, {
    mode: "vega-lite", renderer: "svg", actions: false, ast: true,
  });
  return view;
}

/** An SVG as the address of a PNG. */
async function svg_as_png(svg) {
  const image = new Image();
  image.src = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [picture_scale * image.width, picture_scale * image.height];
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/png");
}

/** A chart, or the plot of the validation, as SVG. */
async function picture_svg(name) {
  if (name === "validation") return document.querySelector("#trust svg").outerHTML;
  const view = await picture_view(name);
  return view.toSVG();
}

/** Hands a file to the browser. */
function save_as(file, address) {
  const link = document.createElement("a");
  link.href = address;
  link.download = file;
  link.click();
}

/** Saves a chart when its button is pressed. */
async function save_picture(button) {
  const { chart, format } = button.dataset;
  const svg = await picture_svg(chart);
  save_as(`${chart}.${format}`, format === "svg" ? `data:image/svg+xml,${encodeURIComponent(svg)}` : await svg_as_png(svg));
}

/** Writes every chart into the page, for the program that reads it: names, SVG, PNG in base64. */
async function hand_out_pictures() {
  const pictures = {};
  for (const name of [...drawn_charts.keys(), "validation"]) {
    const svg = await picture_svg(name);
    pictures[name] = { svg, png: (await svg_as_png(svg)).split(",")[1] };
  }
  const script = document.createElement("script");
  script.type = "application/json";
  script.id = "pictures";
  script.textContent = JSON.stringify(pictures).replaceAll("<", "\\u003c");
  document.body.append(script);
}
