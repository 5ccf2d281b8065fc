"use strict";
/* The address after `#` says what the page shows: chart=NAME and its choices, row=N, status, text,
 * sort; mode=summary is the one-page form, mode=export hands out the charts. */

const state = {
  all: () => new URLSearchParams(location.hash.slice(1)),
  get: (key) => state.all().get(key),
  is: (mode) => state.get("mode") === mode,
  /** The address of this page with these values, and no others. */
  link: (values) => `#${new URLSearchParams(values)}`,
  /** Shows the values in the address, without a step in the history. */
  show: (values) => history.replaceState(null, "", state.link(values)),
};
