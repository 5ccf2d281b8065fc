#include "sim/cost/host_proxies.hpp"

#include "sim/cost/provenance.hpp"
#include "sim/input/csv_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace moesim {

namespace {

constexpr const char* rates_file = "host_proxies.csv";
constexpr const char* messages_file = "proxy_messages.csv";

} // namespace

HostProxies HostProxies::load(const std::filesystem::path& calibration) {
  HostProxies proxies;
  proxies.folder_ = calibration;
  if (std::filesystem::exists(calibration / rates_file))
    proxies.read_rates(calibration / rates_file);
  if (std::filesystem::exists(calibration / messages_file))
    proxies.read_messages(calibration / messages_file);
  return proxies;
}

void HostProxies::read_rates(const std::filesystem::path& file) {
  const CsvTable table = CsvTable::read(file);
  table.expect_columns({"library", "nic", "gpu_gbit_per_s", "operation_us", "message_us",
                        "error_percent", "provenance", "source"});
  for (std::size_t row = 0; row < table.rows(); ++row) {
    check_provenance(table, row);
    rates_[table.text(row, table.column("library"))].push_back(
        {table.text(row, table.column("nic")),
         table.positive_number(row, table.column("gpu_gbit_per_s")),
         table.not_negative_number(row, table.column("operation_us")),
         table.positive_number(row, table.column("message_us")),
         table.positive_number(row, table.column("error_percent")) / 100.0});
  }
}

void HostProxies::read_messages(const std::filesystem::path& file) {
  const CsvTable table = CsvTable::read(file);
  table.expect_columns(
      {"library", "ranks", "dispatch_tokens", "combine_tokens", "provenance", "source"});
  for (std::size_t row = 0; row < table.rows(); ++row) {
    check_provenance(table, row);
    const std::string& library = table.text(row, table.column("library"));
    const std::int64_t ranks = table.integer(row, table.column("ranks"));
    const MessageTokens tokens{table.positive_number(row, table.column("dispatch_tokens")),
                               table.positive_number(row, table.column("combine_tokens"))};
    if (!messages_[library].try_emplace(ranks, tokens).second)
      throw InputError(table.where(row, table.column("ranks")),
                       fmt::format("{} ranks of \"{}\" are given twice", ranks, library));
  }
}

PostingTime HostProxies::time(const PostedTokens& posted) const {
  const std::string library = name_of(library_names, posted.library);
  const auto rates = rates_.find(library);
  const auto messages = messages_.find(library);
  if (rates == rates_.end() || messages == messages_.end())
    throw InputError(
        {.file = (folder_ / (rates == rates_.end() ? rates_file : messages_file)).string(),
         .source_line = ""},
        fmt::format("no row of the library \"{}\", whose messages the host posts", library));
  const double gpu_gbit_per_s = posted.nics.value * 8e-9;
  const auto distance = [&](const Rates& row) {
    return std::pair(row.interconnect != posted.interconnect,
                     std::abs(std::log(row.gpu_gbit_per_s / gpu_gbit_per_s)));
  };
  const Rates& rate =
      *std::min_element(rates->second.begin(), rates->second.end(),
                        [&](const Rates& a, const Rates& b) { return distance(a) < distance(b); });
  auto group = messages->second.lower_bound(posted.ranks);
  if (group == messages->second.end())
    --group;
  const double tokens = posted.combine ? group->second.combine : group->second.dispatch;
  return {microseconds(rate.operation_us + posted.tokens / tokens * rate.message_us), rate.error,
          rate.interconnect};
}

} // namespace moesim
