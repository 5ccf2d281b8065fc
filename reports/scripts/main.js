/* What the page does when it opens; `data-ready` says that it is done. */

/** Shows what the address asks for. */
function follow_address() {
  const chart = state.get("chart");
  const row = state.get("row");
  if (row) mark_row(Number(row));
  else if (chart) document.getElementById(chart)?.scrollIntoView();
}

/** Draws the page's charts again after a change of its width or colours. */
function draw_again() {
  clearTimeout(draw_again.timer);
  draw_again.timer = setTimeout(draw_charts, 150);
}

/** Makes the one-page form as small as a page of A4 needs it, in CSS pixels within its margins. */
function fit_one_page() {
  const [page_width, page_height] = [708, 1020];
  const main = document.querySelector("main");
  for (let zoom = 1; zoom > 0.3; zoom -= 0.04) {
    main.style.zoom = zoom;
    main.style.width = main.style.maxWidth = `${page_width / zoom}px`;
    if (main.getBoundingClientRect().height <= page_height) return;
  }
}

async function open_page() {
  if (state.is("summary")) document.documentElement.classList.add("summary");
  build_table();
  await draw_charts();
  for (const button of document.querySelectorAll(".tools button"))
    button.addEventListener("click", () => save_picture(button));
  let width = innerWidth;
  window.addEventListener("resize", () => {
    if (width === innerWidth) return;
    width = innerWidth;
    draw_again();
  });
  dark_mode.addEventListener("change", draw_again);
  window.addEventListener("hashchange", async () => {
    const chart = state.get("chart");
    if (drawn_charts.has(chart)) await draw_chart(chart);
    follow_address();
  });
  if (state.is("summary")) fit_one_page();
  if (state.is("export")) await hand_out_pictures();
  follow_address();
}

open_page().finally(() => { document.documentElement.dataset.ready = "true"; });
