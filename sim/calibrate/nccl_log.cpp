#include "sim/calibrate/nccl_log.hpp"

#include "sim/base/input_error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <regex>
#include <set>
#include <sstream>

namespace moesim {

namespace {

constexpr std::size_t result_columns = 8; ///< time, algbw, busbw, error; out of place and in place
constexpr std::size_t least_columns = 11; ///< size, count, type before them
constexpr std::size_t most_columns = 13;  ///< with operation and root
constexpr std::size_t most_rank_digits = 7;

struct Token {
  std::string text;
  int column = 1;
};

std::vector<Token> split(const std::string& line, std::size_t start) {
  std::vector<Token> tokens;
  std::size_t at = start;
  while ((at = line.find_first_not_of(" \t\r", at)) != std::string::npos) {
    const std::size_t end = std::min(line.find_first_of(" \t\r", at), line.size());
    tokens.push_back({line.substr(at, end - at), static_cast<int>(at) + 1});
    at = end;
  }
  return tokens;
}

std::optional<double> number_of(const std::string& text) {
  double value = 0.0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  return error == std::errc{} && rest == end ? std::optional(value) : std::nullopt;
}

/// Position where the tool's own text begins, after the prefix of mpirun --tag-output
/// ("[1,0]<stdout>:"), mpirun -l ("[0] ", "[node1:0] ") or srun --label ("0: ").
std::size_t text_start(const std::string& line) {
  static const std::regex prefix(
      R"(^(\[\d+,\d+\](<std(out|err)>)?:?|\[([\w.-]+:)?\d+\]:? |\s*\d+: ))");
  std::smatch match;
  return std::regex_search(line, match, prefix) ? static_cast<std::size_t>(match.length()) : 0;
}

/// The collective that a text names, as "alltoall_perf", "all_reduce" or "reducescatter".
std::optional<Collective> collective_in(std::string text) {
  std::erase_if(text, [](char c) { return c == '_' || c == '-'; });
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const std::pair<const char*, Collective> names[] = {{"alltoall", Collective::all_to_all},
                                                      {"allgather", Collective::all_gather},
                                                      {"reducescatter", Collective::reduce_scatter},
                                                      {"allreduce", Collective::all_reduce},
                                                      {"sendrecv", Collective::point_to_point}};
  for (const auto& [name, collective] : names)
    if (text.find(name) != std::string::npos)
      return collective;
  return std::nullopt;
}

class LogReader {
public:
  explicit LogReader(std::string file) : file_(std::move(file)) {}

  void read_line(const std::string& line) {
    ++number_;
    const std::size_t start = text_start(line);
    const std::vector<Token> tokens = split(line, start);
    if (tokens.empty())
      return;
    check_failure(line, tokens);
    read_device(line);
    static const std::regex starting(R"(Collective test starting:\s*(\w+))");
    std::smatch match;
    if (std::regex_search(line, match, starting))
      named_ = collective_in(match[1]);
    else if (is_header(tokens))
      in_table_ = true;
    else if (in_table_ && std::isdigit(static_cast<unsigned char>(tokens.front().text.front())))
      read_row(line, tokens);
  }

  NcclLog finish(const std::string& name, std::optional<Collective> given) {
    if (log_.rows.empty())
      throw InputError({file_, number_, 1}, "no row of measurements",
                       in_table_ ? "the run ended before its first result"
                                 : "is this the output of a program of nccl-tests?");
    log_.name = name;
    std::optional<Collective> collective = given ? given : (named_ ? named_ : collective_in(name));
    if (!collective)
      collective = collective_of_sums();
    if (!collective)
      throw InputError({file_, 1, 1}, "the log does not name its collective",
                       "say which with --collective");
    log_.collective = *collective;
    log_.hosts = static_cast<std::int64_t>(hosts_.size());
    find_ranks();
    return log_;
  }

private:
  /// The collective that adds values up with the printed ratio of bandwidths; nothing if the values
  /// are not added up, or the ranks are not listed.
  std::optional<Collective> collective_of_sums() const {
    if (!sums_ || listed_ranks_ < 2)
      return std::nullopt;
    const NcclLog::Row& last = log_.rows.back();
    for (const Collective collective : {Collective::all_reduce, Collective::reduce_scatter})
      if (std::abs(last.bus_bandwidth / last.algorithm_bandwidth /
                       bus_factor(collective, listed_ranks_) -
                   1.0) < 0.02)
        return collective;
    return std::nullopt;
  }

  [[noreturn]] void refuse(const std::string& line, int column, const std::string& message,
                           const std::string& hint = "") const {
    throw InputError({file_, number_, column, line}, message, hint);
  }

  void check_failure(const std::string& line, const std::vector<Token>& tokens) const {
    static const std::regex failure(R"(Test (NCCL|CUDA)? ?failure|\bFAILED\b)");
    if (std::regex_search(line, failure))
      refuse(line, tokens.front().column, "the run failed");
  }

  void read_device(const std::string& line) {
    static const std::regex device(
        R"(Rank\s+(\d+)\s.*\bon\s+(\S+)\s+device\s+\d+\s+\[[^\]]*\]\s*(.*?)\s*$)");
    std::smatch match;
    if (!std::regex_search(line, match, device))
      return;
    const std::string rank = match[1];
    if (rank.size() > most_rank_digits)
      refuse(line, static_cast<int>(match.position(1)) + 1,
             fmt::format("{} is not the number of a rank", rank));
    listed_ranks_ = std::max<std::int64_t>(listed_ranks_, std::stoll(rank) + 1);
    hosts_.insert(match[2]);
    if (log_.gpu.empty())
      log_.gpu = match[3];
  }

  static bool is_header(const std::vector<Token>& tokens) {
    const auto has = [&](const char* word) {
      return std::any_of(tokens.begin(), tokens.end(),
                         [&](const Token& token) { return token.text == word; });
    };
    return has("size") && has("count") && has("time") && has("busbw");
  }

  double number_at(const std::string& line, const Token& token) const {
    const std::optional<double> value = number_of(token.text);
    if (!value || !std::isfinite(*value) || *value < 0.0)
      refuse(line, token.column, fmt::format("\"{}\" is not a measured number", token.text));
    return *value;
  }

  void read_row(const std::string& line, const std::vector<Token>& tokens) {
    if (tokens.size() < least_columns || tokens.size() > most_columns)
      refuse(line, tokens.back().column,
             fmt::format("the row has {} columns; nccl-tests prints {} to {}", tokens.size(),
                         least_columns, most_columns),
             tokens.size() < least_columns ? "the run was cut here" : "");
    const Token* results = &tokens[tokens.size() - result_columns];
    NcclLog::Row row;
    row.size = number_at(line, tokens[0]);
    row.time = microseconds(number_at(line, results[0]));
    row.algorithm_bandwidth = number_at(line, results[1]);
    row.bus_bandwidth = number_at(line, results[2]);
    row.line = number_;
    const std::optional<double> wrong = number_of(results[3].text);
    if (!wrong && results[3].text != "N/A")
      refuse(line, results[3].column, fmt::format("\"{}\" is not a count", results[3].text));
    if (wrong && *wrong >= 1.0)
      refuse(line, results[3].column, fmt::format("{} wrong results", results[3].text));
    if (row.size == 0.0)
      return;
    sums_ = tokens[3].text == "sum";
    const double bandwidth = row.size / row.time.value / 1e9;
    if (row.algorithm_bandwidth > 1.0 && std::abs(row.algorithm_bandwidth / bandwidth - 1.0) > 0.02)
      refuse(line, results[1].column,
             fmt::format("{} bytes in {} us are {:.2f} GB/s, not {}", tokens[0].text,
                         results[0].text, bandwidth, results[1].text));
    log_.rows.push_back(row);
  }

  void find_ranks() {
    log_.ranks = listed_ranks_;
    const NcclLog::Row& last = log_.rows.back();
    const double factor = last.bus_bandwidth / last.algorithm_bandwidth;
    if (log_.ranks == 0) {
      const double scale = log_.collective == Collective::all_reduce ? 2.0 : 1.0;
      const double ranks = scale / (scale - factor);
      if (log_.collective != Collective::point_to_point && std::isfinite(ranks) && ranks > 1.5)
        log_.ranks = std::llround(ranks);
    }
    if (log_.ranks == 0)
      throw InputError({file_, last.line, 1}, "the number of ranks is not known");
    const double expected = bus_factor(log_.collective, log_.ranks);
    if (last.bus_bandwidth > 5.0 && std::abs(factor / expected - 1.0) > 0.02)
      throw InputError({file_, last.line, 1},
                       fmt::format("bus over algorithm bandwidth is {:.3f}; an {} of {} ranks has "
                                   "{:.3f}",
                                   factor, collective_name(log_.collective), log_.ranks, expected),
                       "is it another collective? say which with --collective");
  }

  std::string file_;
  int number_ = 0;
  bool in_table_ = false;
  bool sums_ = false; ///< the values are added up
  std::optional<Collective> named_;
  std::int64_t listed_ranks_ = 0;
  std::set<std::string> hosts_;
  NcclLog log_;
};

} // namespace

NcclLog parse_nccl_log(const std::string& text, const std::string& name,
                       std::optional<Collective> given) {
  LogReader reader(name);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    reader.read_line(line);
  return reader.finish(std::filesystem::path(name).stem().string(), given);
}

RankLinks links_of(const NodeSpec& node) {
  RankLinks links{node.scale_up_interconnect, node.scale_up, "", {}};
  if (node.nics > 0) {
    links.scale_out = node.nic_interconnect;
    const double nics_per_gpu = static_cast<double>(node.nics) / static_cast<double>(node.gpus);
    links.scale_out_capacity =
        BytesPerSecond{std::min(node.nic.value, node.pcie.value) * nics_per_gpu};
  }
  return links;
}

std::int64_t domains_of(const NcclLog& log, const NodeSpec& node) {
  if (log.hosts > 0 && node.scale_up_gpus == node.gpus)
    return log.hosts;
  return (log.ranks + node.scale_up_gpus - 1) / node.scale_up_gpus;
}

std::vector<Measurement> log_measurements(const NcclLog& log, const RankLinks& links,
                                          bool in_switch) {
  if (log.hosts == 0)
    throw InputError({log.name}, "the log does not list its devices",
                     "say on how many scale-up domains they sit with --domains");
  if (log.ranks < 2 || log.ranks % log.hosts != 0)
    throw InputError({log.name}, fmt::format("{} ranks on {} hosts tell nothing of the network",
                                             log.ranks, log.hosts));
  if (log.hosts > 1 && links.scale_out.empty())
    throw InputError({log.name}, fmt::format("the log has {} hosts", log.hosts),
                     "name a topology file with a network");
  std::vector<Measurement> measurements;
  for (const NcclLog::Row& row : log.rows) {
    Measurement measured;
    measured.table = log.name;
    measured.gpu = log.gpu;
    measured.links = links;
    measured.group = {log.ranks, log.hosts};
    measured.tier = log.hosts > 1 ? Tier::scale_out : Tier::scale_up;
    measured.collective = in_switch && log.collective == Collective::all_reduce
                              ? Collective::all_reduce_in_switch
                              : log.collective;
    measured.size = row.size;
    measured.bytes = collective_bytes(measured.collective, row.size, measured.group);
    measured.time = row.time;
    measured.fit = true;
    measured.source = log.name;
    measurements.push_back(measured);
  }
  return measurements;
}

} // namespace moesim
