#include "sim/serve/web_pages.hpp"

#include "sim/base/input_error.hpp"
#include "sim/input/file_text.hpp"
#include "sim/report/html_text.hpp"
#include "sim/report/report_assets.hpp"
#include "sim/serve/live_settings.hpp"

#include <fmt/format.h>

#include <random>
#include <string_view>

namespace moesim {
namespace {

constexpr const char* live_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// 128 random bits in hexadecimal.
std::string random_nonce() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
}

std::function<WebAnswer(const WebQuery&)> fixed_page(const std::string& type,
                                                     const std::string& body) {
  return [=](const WebQuery&) { return WebAnswer{type, body, live_policy}; };
}

} // namespace

WebPages live_pages(const std::filesystem::path& scenario, LiveAnswers& answers,
                    const std::filesystem::path& assets) {
  const std::string page = fill_template(
      assets / "live/live.html", {{"scenario", escape_html(scenario.filename().string())},
                                  {"folder", escape_html(scenario.parent_path().string())}});
  const auto answer = [&answers](const WebQuery& query, LiveDepth depth) {
    return WebAnswer{"application/json", answers.answer(live_settings(query), depth)};
  };
  return {
      {"/", fixed_page("text/html; charset=utf-8", page)},
      {"/live.css",
       fixed_page("text/css; charset=utf-8",
                  read_asset(assets / "style.css") + read_asset(assets / "live/live.css"))},
      {"/live.js",
       fixed_page("text/javascript; charset=utf-8", read_asset(assets / "live/live.js"))},
      {"/controls", fixed_page("application/json", answers.controls())},
      {"/answer", [=](const WebQuery& query) { return answer(query, LiveDepth::step); }},
      {"/savings", [=](const WebQuery& query) { return answer(query, LiveDepth::savings); }},
      {"/best",
       [&answers](const WebQuery& query) {
         return WebAnswer{"application/json",
                          answers.answer(with_best_plan(live_settings(query)), LiveDepth::step)};
       }},
      {"/scenario.toml",
       [scenario](const WebQuery& query) {
         return WebAnswer{.type = "application/toml",
                          .body = scenario_text(scenario, live_settings(query)),
                          .download = "scenario.toml"};
       }},
  };
}

std::string with_nonce(std::string report, const std::string& nonce) {
  constexpr std::string_view opening = "\n<script>\n";
  const std::string marked = fmt::format("\n<script nonce=\"{}\">\n", nonce);
  for (std::size_t at = report.find(opening); at != std::string::npos;
       at = report.find(opening, at + marked.size()))
    report.replace(at, opening.size(), marked);
  return report;
}

WebPages report_pages(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "report.html";
  if (!std::filesystem::exists(file))
    throw InputError({file.string()}, "there is no report in this folder",
                     fmt::format("moesim report {} writes it from results.csv", folder.string()));
  return {{"/", [file](const WebQuery&) {
             const std::string nonce = random_nonce();
             return WebAnswer{
                 "text/html; charset=utf-8", with_nonce(read_file(file), nonce),
                 fmt::format("default-src 'none'; script-src 'nonce-{}'; style-src "
                             "'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action "
                             "'none'; frame-ancestors 'none'",
                             nonce)};
           }}};
}

} // namespace moesim
