#pragma once

#include "sim/serve/live_answer.hpp"
#include "sim/serve/web_server.hpp"

#include <filesystem>

namespace moesim {

/// The pages of a scenario: `/`, its style and script, `/controls`, and `/answer`,
/// `/savings`, `/best` and `/scenario.toml`, whose query holds settings. `assets` as
/// render_html_report's, with `live/`. `answers` must live as long. Throws InputError if an asset
/// is missing.
WebPages live_pages(const std::filesystem::path& scenario, LiveAnswers& answers,
                    const std::filesystem::path& assets);

/// The page of a folder of results: its report.html, as it is at each request. Scripts run by a
/// nonce, so that none runs that a later change of the file brings in another way. Throws
/// InputError if there is no report.
WebPages report_pages(const std::filesystem::path& folder);

/// The report with `nonce` on its two scripts, those that open with a line of their own.
std::string with_nonce(std::string report, const std::string& nonce);

} // namespace moesim
