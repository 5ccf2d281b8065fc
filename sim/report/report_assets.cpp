#include "sim/report/report_assets.hpp"

#include "sim/base/input_error.hpp"

#include <fstream>
#include <iterator>

namespace moesim {

[[noreturn]] void throw_missing_asset(const std::filesystem::path& asset) {
  throw InputError(InputLocation{asset.string(), 0, 0, ""}, "this part of the report is missing",
                   "build the target moesim_report_assets, and give its folder");
}

std::string read_asset(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream)
    throw_missing_asset(file);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

std::string fill_template(const std::filesystem::path& file,
                          const std::map<std::string, std::string>& parts) {
  const std::string text = read_asset(file);
  std::string page;
  std::size_t at = 0;
  for (std::size_t open = text.find("{{"); open != std::string::npos; open = text.find("{{", at)) {
    const std::size_t close = text.find("}}", open);
    const auto part = close == std::string::npos
                          ? parts.end()
                          : parts.find(text.substr(open + 2, close - open - 2));
    if (part == parts.end())
      throw InputError(locate_offset(file.string(), text, open), "no such part of the report");
    page.append(text, at, open - at).append(part->second);
    at = close + 2;
  }
  return page.append(text, at);
}

} // namespace moesim
