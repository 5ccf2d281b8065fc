/* What the page does when it opens; `data-ready` says that it is done. */
build_table();
draw_charts().then(() => { document.documentElement.dataset.ready = "true"; });
