#include "sim/report/html_report.hpp"

#include "sim/base/input_error.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <string>

#include <unistd.h>

using namespace moesim;
using Catch::Matchers::Contains;

namespace {

/// A folder of small assets that shows each part of the report on a line of its own.
class Assets {
public:
  Assets() {
    std::filesystem::create_directories(folder_ / "charts");
    write("template.html",
          "title={{title}}\nanswer={{answer}}\nnotes={{notes}}\n"
          "charts={{charts}}\nmore={{more_charts}}\nout={{left_out}}\norigin={{origin}}\ndata={{"
          "data}}\nlinks={{links}}\n"
          "sensitivity={{sensitivity}}\naxes={{axes}}\n"
          "columns={{columns}}\nspecs={{specs}}\nvalidation={{validation}}\n{{style}}{{libraries}}{"
          "{page}}");
    for (const char* name : {"style.css", "libraries.js", "page.js"})
      write(name, "");
    write("cross_validation.csv",
          "steps,cases,plans,folds,median_percent,p90_percent,bias_percent,inside_percent\n"
          "somebody a100,3,2,1,4.5,9,-1,90\nMoE,3,2,1,12.5,9,-1,90\n");
    write("validation.csv", "tier,cases,median_percent,p90_percent,holds\nsteps,3,1.5,,\"a<b\"\n");
    write("validation.svg", "<svg/>");
    write("charts/1_lines.vl.json",
          R"({"usermeta": {"title": "Lines", "needs": ["cluster.gpus", "savings_kept_percent"]}})");
  }
  Assets(const Assets&) = delete;
  Assets& operator=(const Assets&) = delete;
  ~Assets() { std::filesystem::remove_all(folder_); }

  const std::filesystem::path& folder() const { return folder_; }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
  }
  void remove(const std::string& name) const { std::filesystem::remove(folder_ / name); }

private:
  std::filesystem::path folder_ = std::filesystem::temp_directory_path() /
                                  ("moesim-report-assets-" + std::to_string(::getpid()));
};

const SweepTables two_points{
    .results = {.columns = {"status", "reason", "cluster.gpus", "step_time_ms", "tokens_per_s",
                            "ep_exposed_ms", "savings_kept_percent"},
                .rows = {{"ok", "", "64", "200", "5000", "50", "80.5"},
                         {"out-of-memory", "needs </script><b> 96 GiB", "32", "", "", "", ""}}},
    .links = {}};

ReportOrigin origin_of_two_points() {
  return {.title = "A & B",
          .command = "moesim sweep \"a b\"",
          .version = "0.1.0",
          .seed = "1",
          .axes = {"cluster.gpus"},
          .inputs = {{"sweep.toml", "# </pre> {{data}}"}},
          .notes = {"1 < 2"}};
}

/// The message of the InputError that the rendering throws, or "" if it throws none.
std::string error_of(const Assets& assets) {
  try {
    render_html_report(two_points, origin_of_two_points(), assets.folder());
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

} // namespace

TEST_CASE("a report's data are numbers, nulls and text that cannot end its script") {
  const Assets assets;
  const std::string page = render_html_report(two_points, origin_of_two_points(), assets.folder());
  CHECK_THAT(page, Contains("data=[{\"status\":\"ok\",\"reason\":null,\"cluster.gpus\":64,"
                            "\"step_time_ms\":200,\"tokens_per_s\":5000,\"ep_exposed_ms\":50,"
                            "\"savings_kept_percent\":80.5},"));
  CHECK_THAT(page, Contains("\"reason\":\"needs \\u003c/script>\\u003cb> 96 GiB\""));
  CHECK_THAT(page, !Contains("</script"));
}

TEST_CASE("a report escapes titles, commands, notes and inputs") {
  const Assets assets;
  const std::string page = render_html_report(two_points, origin_of_two_points(), assets.folder());
  CHECK_THAT(page, Contains("title=A &amp; B\n"));
  CHECK_THAT(page, Contains("<code>moesim sweep &quot;a b&quot;</code>"));
  CHECK_THAT(page, Contains("<li>1 &lt; 2\n"));
  CHECK_THAT(page, Contains("# &lt;/pre&gt; {{data}}</pre>")); // what is put in is not expanded
}

TEST_CASE("a report's cells that only look like numbers stay text") {
  const Assets assets;
  SweepTables tables = two_points;
  tables.results.rows = {{"ok", "7", "1e400", "nan", "", "-0.25", "12 "}};
  const std::string page = render_html_report(tables, origin_of_two_points(), assets.folder());
  CHECK_THAT(
      page,
      Contains("\"reason\":\"7\",\"cluster.gpus\":\"1e400\",\"step_time_ms\":\"nan\","
               "\"tokens_per_s\":null,\"ep_exposed_ms\":-0.25,\"savings_kept_percent\":\"12 \""));
}

TEST_CASE("a report of the same input has the same bytes") {
  const Assets assets;
  CHECK(render_html_report(two_points, origin_of_two_points(), assets.folder()) ==
        render_html_report(two_points, origin_of_two_points(), assets.folder()));
}

namespace {

/// A number that links to its row.
std::string linked(const std::string& text, int row, const std::string& column) {
  return "<a class=\"n\" href=\"#row=" + std::to_string(row) + "\" data-row=\"" +
         std::to_string(row) + "\" data-column=\"" + column + "\">" + text + "</a>";
}

} // namespace

TEST_CASE("a report says how far off the throughput of an answer may be") {
  const Assets assets;
  SweepTables tables = two_points;
  tables.results.columns.insert(tables.results.columns.end(),
                                {"step_time_low_ms", "step_time_high_ms"});
  tables.results.rows[0].insert(tables.results.rows[0].end(), {"160", "1250"});
  tables.results.rows[1].insert(tables.results.rows[1].end(), {"", ""});
  // 5000 tokens/s in a step of 200 ms: 1000 tokens a step, in 1.25 s and in 0.16 s.
  CHECK_THAT(render_html_report(tables, origin_of_two_points(), assets.folder()),
             Contains(linked("5,000", 1, "tokens_per_s") + " tokens/s (800.0–6,250), with"));
}

TEST_CASE("a report answers in one sentence, and its numbers link to their rows") {
  const Assets assets;
  const std::string page = render_html_report(two_points, origin_of_two_points(), assets.folder());
  // 80.5 % rounds to 81 %.
  CHECK_THAT(page, Contains("<p class=\"answer\">Fastest is 64 GPUs: " +
                            linked("5,000", 1, "tokens_per_s") + " tokens/s, with " +
                            linked("81 %", 1, "savings_kept_percent") +
                            " of the MoE’s saving kept.</p>"));
  CHECK_THAT(page, Contains("<tr><th>points<td>2: 1 ok, 1 out of memory\n"));
}

TEST_CASE("a report ranks points by throughput, whatever they keep, and names what ate the rest") {
  const Assets assets;
  SweepTables tables = two_points;
  for (const char* column : {"lost_pp_percent", "lost_ep_scale_out_percent", "lost_dp_percent"})
    tables.results.columns.emplace_back(column);
  tables.results.rows = {
      {"ok", "", "32", "390.25", "2562.5", "0", "60", "25", "10", "5"},
      {"ok", "", "64", "200", "5000", "50", "34", "6", "40", "20"},
      {"ok", "", "16", "800", "1250", "0", "-20", "130", "0", "-10"}}; // -10 is won back
  const std::string page = render_html_report(tables, origin_of_two_points(), assets.folder());
  CHECK_THAT(page, Contains("most of the rest goes to the all-to-all between domains.</p>"));
  CHECK_THAT(page, Contains("the all-to-all between domains, " +
                            linked("40", 2, "lost_ep_scale_out_percent") + " of 66 points lost"));
  CHECK_THAT(page, Contains("<tr><th>saving kept<td>" + linked("−20 %", 3, "savings_kept_percent") +
                            " to " + linked("60 %", 1, "savings_kept_percent") +
                            ", median 34 %; below 0, slower than the twin, at 1 of 3 points\n"));
  CHECK_THAT(page, Contains("<tr><th>largest loss<td>the pipeline bubble (at 2 of 3 points), the "
                            "all-to-all between domains (at 1 of 3 points)\n"));
}

TEST_CASE("a report says which change of one axis would change the throughput most") {
  const Assets assets;
  SweepTables tables = two_points;
  tables.results.columns.insert(tables.results.columns.begin() + 2, "cluster.topology");
  const auto row = [](const char* topology, const char* gpus, const char* tokens) {
    return std::vector<std::string>{"ok", "", topology, gpus, "200", tokens, "0", "50"};
  };
  tables.results.rows = {row("flat.toml", "64", "4000"), row("flat.toml", "16", "900"),
                         row("slim.toml", "64", "3000"), row("flat.toml", "32", "2000")};
  ReportOrigin origin = origin_of_two_points();
  origin.axes = {"cluster.topology", "cluster.gpus"};
  const std::string page = render_html_report(tables, origin, assets.folder());
  // 2000 and 3000 over 4000: -50 % and -25 %. 16 GPUs are not the next value.
  const std::size_t gpus = page.find("<tr><th>32 GPUs<td data-label=\"instead of\"><span>64 GPUs");
  const std::size_t fabric = page.find("<tr><th>slim<td data-label=\"instead of\"><span>flat");
  REQUIRE(fabric != std::string::npos);
  CHECK(gpus < fabric);
  CHECK_THAT(page, Contains("<span>−50 %</span>"));
  CHECK_THAT(page, Contains("<span>−25 %</span>"));
  CHECK_THAT(page, !Contains("<th>16 GPUs"));
}

TEST_CASE("a report without dense twins answers with the step times") {
  const Assets assets;
  SweepTables tables = two_points;
  tables.results.rows = {{"ok", "", "64", "200", "5000", "50", ""},
                         {"ok", "", "32", "390.25", "2562.5", "0", ""}};
  const std::string page = render_html_report(tables, origin_of_two_points(), assets.folder());
  CHECK_THAT(page, Contains("Fastest is 64 GPUs: " + linked("5,000", 1, "tokens_per_s") +
                            " tokens/s; exposed all-to-all (EP) takes 25 % of the step.</p>"));
  CHECK_THAT(page, Contains("<tr><th>saving kept<td>not known: no point is compared with its dense "
                            "twin\n"));
}

TEST_CASE("a report without a point that ran says so") {
  const Assets assets;
  SweepTables tables = two_points;
  tables.results.rows.erase(tables.results.rows.begin());
  const std::string page = render_html_report(tables, origin_of_two_points(), assets.folder());
  CHECK_THAT(
      page,
      Contains("No point ran.</p>\n<p class=\"counts\">Points: 1: 0 ok, 1 out of memory.</p>"));
  CHECK_THAT(page, Contains("specs={}\n"));
}

TEST_CASE("a report leaves a chart out, with a note, when the sweep lacks its axes") {
  const Assets assets;
  assets.write("charts/2_map.vl.json",
               R"({"usermeta": {"title": "Map", "needs": ["model.experts", "cluster.gpus"]}})");
  const std::string page = render_html_report(two_points, origin_of_two_points(), assets.folder());
  CHECK_THAT(page, Contains("charts=<section class=\"chart\" id=\"1_lines\">"));
  CHECK_THAT(page,
             Contains("out=<p class=\"left-out\">Chart left out, “Map”: no point that ran has "
                      "model.experts.</p>"));
  CHECK_THAT(page, Contains("specs={\"1_lines\":{"));
  CHECK_THAT(page, !Contains("\"2_map\""));
}

TEST_CASE("a report draws a chart of the links from links.csv, or says that it cannot") {
  const Assets assets;
  assets.write("charts/2_map.vl.json", R"({"usermeta": {"title": "Map", "table": "links",
                                                        "needs": ["time_ms", "max_percent"]}})");
  SweepTables tables = two_points;
  const std::string without = render_html_report(tables, origin_of_two_points(), assets.folder());
  CHECK_THAT(without, Contains("links={\"columns\":[],\"rows\":[]}\n"));
  CHECK_THAT(without, Contains("<p class=\"left-out\">Chart left out, “Map”: the sweep&#39;s "
                               "links.csv lacks time_ms, max_percent.</p>"));
  tables.links = {.columns = {"time_ms", "max_percent"}, .rows = {{"0", "12.5"}, {"1", "0"}}};
  const std::string with = render_html_report(tables, origin_of_two_points(), assets.folder());
  CHECK_THAT(with, Contains("links={\"columns\":[\"time_ms\",\"max_percent\"],"
                            "\"rows\":[[0,12.5],[1,0]]}\n"));
  CHECK_THAT(with, Contains("<section class=\"chart\" id=\"2_map\">"));
}

TEST_CASE("a report draws the charts of its kind, and those that a column makes secondary later") {
  const Assets assets;
  assets.write("charts/2_plan.vl.json",
               R"({"usermeta": {"title": "P", "kinds": ["plan"], "needs": ["cluster.gpus"]}})");
  assets.write("charts/3_step.vl.json", R"({"usermeta": {"title": "S", "kinds": ["sweep"],
                 "unless": "savings_kept_percent", "needs": ["step_time_ms"]}})");
  assets.write("charts/4_same.vl.json", R"({"usermeta": {"title": "D", "needs": ["step_time_ms"],
                 "differ": ["step_time_ms", "step_time_ms"]}})");
  const std::string page = render_html_report(two_points, origin_of_two_points(), assets.folder());
  CHECK_THAT(page, !Contains("2_plan"));
  CHECK_THAT(page, Contains("more=<section class=\"chart\" id=\"3_step\">"));
  CHECK_THAT(page, Contains("Chart left out, “D”: step_time_ms and step_time_ms are the same"));
}

TEST_CASE("a report counts which class of resources is busiest, the most frequent first") {
  const Assets assets;
  SweepTables tables = two_points;
  tables.results.columns.emplace_back("bottleneck");
  const auto row = [](const char* status, const char* bottleneck) {
    return std::vector<std::string>{status, "", "64", "200", "5000", "50", "80.5", bottleneck};
  };
  tables.results.rows = {row("ok", "Node[1].Nic[7].Egress"), row("ok", "Node[0].Gpu[3]"),
                         row("ok", "Node[9].Gpu[0]"), row("failed", "Leaf[0].Uplink")};
  CHECK_THAT(
      render_html_report(tables, origin_of_two_points(), assets.folder()),
      Contains("<tr><th>busiest resource<td>GPU compute (at 2 of 3 points), NIC egress (at 1)\n"));
}

TEST_CASE("a report names the asset that is missing, and how to make it") {
  const Assets assets;
  const std::string missing = ": error: this part of the report is missing\n"
                              "  hint: build the target moesim_report_assets, and give its folder";
  assets.remove("page.js");
  CHECK(error_of(assets) == (assets.folder() / "page.js").string() + missing);
  assets.remove("charts/1_lines.vl.json");
  CHECK(error_of(assets) == (assets.folder() / "charts").string() + missing);
}

TEST_CASE("a report names the asset that is broken, with its place") {
  const Assets assets;
  assets.write("template.html", "<p>\n  {{titel}}\n");
  CHECK(error_of(assets) == (assets.folder() / "template.html").string() +
                                ":2:3: error: no such part of the report\n"
                                "    {{titel}}\n"
                                "    ^");
  assets.write("charts/1_lines.vl.json", "{");
  CHECK_THAT(error_of(assets), Contains("1_lines.vl.json: error: not a chart with usermeta.title"));
}

TEST_CASE("a report says how far off published measurements are predicted") {
  const Assets assets;
  const std::string page = render_html_report(two_points, origin_of_two_points(), assets.folder());
  CHECK_THAT(page,
             Catch::Contains("<tr><td>MoE<td>2<td>1<td>12.5<td>9<td>-1<td>90\n</table></div>\n"));
  CHECK_THAT(page, Catch::Contains("without its source\"><svg/></div>\n"));
  CHECK_THAT(page, !Catch::Contains("somebody a100"));
  CHECK_THAT(page, Catch::Contains("<tr><td>steps<td>3<td>1.5<td><td>a&lt;b\n</table>"));
  assets.remove("validation.csv");
  CHECK_THAT(error_of(assets), Catch::Contains("validation.csv: error: this part of the report"));
}
