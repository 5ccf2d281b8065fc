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
          "charts={{charts}}\norigin={{origin}}\ndata={{data}}\nlinks={{links}}\naxes={{axes}}\n"
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

TEST_CASE("a report says how far off the step of an answer may be") {
  const Assets assets;
  SweepTables tables = two_points;
  tables.results.columns.insert(tables.results.columns.end(),
                                {"step_time_low_ms", "step_time_high_ms"});
  tables.results.rows[0].insert(tables.results.rows[0].end(), {"160", "1250"});
  tables.results.rows[1].insert(tables.results.rows[1].end(), {"", ""});
  CHECK_THAT(render_html_report(tables, origin_of_two_points(), assets.folder()),
             Contains("a step of 200 ms (90 % interval: 160 to 1,250), at 64 GPUs"));
}

TEST_CASE("a report answers with the throughput, the savings kept and the largest loss") {
  const Assets assets;
  const std::string page = render_html_report(two_points, origin_of_two_points(), assets.folder());
  // 80.5 % rounds to 81 %.
  CHECK_THAT(page,
             Contains("Fastest: <b>5,000 tokens/s</b>, a step of 200 ms, at 64 GPUs; it keeps "
                      "81 % of its saving.</p>"));
  CHECK_THAT(page, Contains("2 points: <b>1 ok</b>, 1 out of memory, 0 illegal, 0 failed."));
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
  CHECK_THAT(
      page,
      Contains("Fastest: <b>5,000 tokens/s</b>, a step of 200 ms, at 64 GPUs; it keeps "
               "34 % of its saving: 40 of the 66 percentage points lost go to the "
               "all-to-all between domains. Slowest: <b>1,250 tokens/s</b>, a step of 800 ms, at "
               "16 GPUs; it keeps −20 % of its saving: 130 percentage points go "
               "to the pipeline bubble, and other parts win 10 back. Beside its own dense "
               "twin, a point keeps from <b>−20 %</b> to <b>60 %</b> (median 34 %) of "
               "its compute saving. At 1 of 3 points the MoE is slower than its twin. "
               "The largest term of the lost saving: the pipeline bubble (at 2 of 3 "
               "points), the all-to-all between domains (at 1 of 3 points).</p>"));
}

TEST_CASE("a report without dense twins answers with the step times") {
  const Assets assets;
  SweepTables tables = two_points;
  tables.results.rows = {{"ok", "", "64", "200", "5000", "50", ""},
                         {"ok", "", "32", "390.25", "2562.5", "0", ""}};
  const std::string page = render_html_report(tables, origin_of_two_points(), assets.folder());
  CHECK_THAT(page, Contains("Fastest: <b>5,000 tokens/s</b>, a step of 200 ms, at 64 GPUs, where "
                            "exposed all-to-all (EP) takes 25 % of the step. Slowest: <b>2,562 "
                            "tokens/s</b>, a step of 390.2 ms, at 32 GPUs. No point is compared "
                            "with its dense twin, so the saving is not known. The largest part of "
                            "the step outside compute: exposed all-to-all (EP) (at 1 of 2 points)."
                            "</p>"));
}

TEST_CASE("a report without a point that ran says so") {
  const Assets assets;
  SweepTables tables = two_points;
  tables.results.rows.erase(tables.results.rows.begin());
  const std::string page = render_html_report(tables, origin_of_two_points(), assets.folder());
  CHECK_THAT(page, Contains("No point ran.</p>\n<p class=\"counts\">1 point: <b>0 ok</b>"));
  CHECK_THAT(page, Contains("specs={}\n"));
}

TEST_CASE("a report leaves a chart out, with a note, when the sweep lacks its axes") {
  const Assets assets;
  assets.write("charts/2_map.vl.json",
               R"({"usermeta": {"title": "Map", "needs": ["model.experts", "cluster.gpus"]}})");
  const std::string page = render_html_report(two_points, origin_of_two_points(), assets.folder());
  CHECK_THAT(page, Contains("<section class=\"chart\" id=\"1_lines\">"));
  CHECK_THAT(page, Contains("<p class=\"left-out\">Chart left out, “Map”: no point that ran has "
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

TEST_CASE("a report counts which class of resources is busiest, the most frequent first") {
  const Assets assets;
  SweepTables tables = two_points;
  tables.results.columns.emplace_back("bottleneck");
  const auto row = [](const char* status, const char* bottleneck) {
    return std::vector<std::string>{status, "", "64", "200", "5000", "50", "80.5", bottleneck};
  };
  tables.results.rows = {row("ok", "Node[1].Nic[7].Egress"), row("ok", "Node[0].Gpu[3]"),
                         row("ok", "Node[9].Gpu[0]"), row("failed", "Leaf[0].Uplink")};
  CHECK_THAT(render_html_report(tables, origin_of_two_points(), assets.folder()),
             Contains(" The busiest resource: GPU compute (at 2 of 3 points), NIC egress (at 1)."));
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
  CHECK_THAT(page, Catch::Contains("<tr><td>MoE<td>2<td>1<td>12.5<td>9<td>-1<td>90\n</table>\n"
                                   "<svg/>"));
  CHECK_THAT(page, !Catch::Contains("somebody a100"));
  CHECK_THAT(page, Catch::Contains("<tr><td>steps<td>3<td>1.5<td><td>a&lt;b\n</table>"));
  assets.remove("validation.csv");
  CHECK_THAT(error_of(assets), Catch::Contains("validation.csv: error: this part of the report"));
}
