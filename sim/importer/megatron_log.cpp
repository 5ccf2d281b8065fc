#include "sim/importer/megatron_log.hpp"

#include "sim/base/median.hpp"
#include "sim/input/file_text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <string_view>

namespace moesim {

namespace {

/// Lines of iterations that count as warm-up: a tenth, and at least two.
int warm_up_of(std::size_t lines) {
  const auto count = static_cast<int>(lines);
  return std::clamp(std::max(2, count / 10), 0, std::max(0, count - 1));
}

/// The number after a text of a line, if both are there.
std::optional<double> number_after(std::string_view line, std::string_view text) {
  const std::size_t found = line.find(text);
  if (found == std::string_view::npos)
    return std::nullopt;
  const std::size_t begin = std::min(line.find_first_not_of(' ', found + text.size()), line.size());
  double number = 0.0;
  const auto [stop, error] =
      std::from_chars(line.data() + begin, line.data() + line.size(), number);
  return error == std::errc() ? std::optional(number) : std::nullopt;
}

std::string trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  return begin == std::string_view::npos
             ? ""
             : std::string(text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1));
}

/// One item of Python's list as the text that a command line has: 'mlp' → mlp, torch.bfloat16 →
/// bf16, <CudaGraphModule.attn: 1> → attn.
std::string plain_item(std::string item) {
  static const std::map<std::string, std::string> types = {{"torch.bfloat16", "bf16"},
                                                           {"torch.float32", "fp32"},
                                                           {"torch.float16", "fp16"},
                                                           {"torch.uint8", "fp8"}};
  if (item.size() > 1 && (item[0] == '\'' || item[0] == '"') && item.back() == item[0])
    item = item.substr(1, item.size() - 2);
  if (item.starts_with("<") && item.find('.') != std::string::npos) {
    const std::size_t begin = item.find('.') + 1;
    item = item.substr(begin, item.find_first_of(":>", begin) - begin);
  }
  const auto type = types.find(item);
  return type == types.end() ? item : type->second;
}

/// The items of a list or a tuple as Python prints it; one item for other values.
std::vector<std::string> items_of(const std::string& value) {
  const bool list = value.size() > 1 && ((value.front() == '[' && value.back() == ']') ||
                                         (value.front() == '(' && value.back() == ')'));
  if (!list)
    return {plain_item(value)};
  std::vector<std::string> items;
  std::string item;
  for (const char letter : value.substr(1, value.size() - 2) + ",")
    if (letter != ',') {
      item += letter;
    } else if (std::string text = trimmed(item); !text.empty()) {
      items.push_back(plain_item(text));
      item.clear();
    }
  return items;
}

/// Reads a log line by line.
class LogReader {
public:
  LogReader(const std::string& file, const std::string& text) : file_(file), text_(text) {
    run_.arguments.file = file;
  }

  LoggedRun read() {
    for (std::size_t begin = 0; begin < text_.size();) {
      const std::size_t end = std::min(text_.find('\n', begin), text_.size());
      read_line(begin, std::string_view(text_).substr(begin, end - begin));
      begin = end + 1;
    }
    if (!started_)
      throw InputError({file_}, "has no block of arguments: no line \"---- arguments ----\"",
                       "Megatron prints it on rank 0 when it starts: give the whole log of rank 0");
    if (inside_)
      throw InputError(locate_offset(file_, text_, block_), "the block of arguments has no end");
    run_.iteration_lines = static_cast<int>(times_.size());
    run_.warm_up_lines = warm_up_of(times_.size());
    run_.step_time_ms = median_of(times_);
    run_.tflops_per_gpu = median_of(rates_);
    if (!foreign_.empty())
      run_.arguments.add_remark(fmt::format("not known here: {}", fmt::join(foreign_, ", ")),
                                {file_, 1});
    return std::move(run_);
  }

private:
  static std::optional<double> median_of(std::vector<double> values) {
    values.erase(values.begin(), values.begin() + warm_up_of(values.size()));
    return values.empty() ? std::nullopt : std::optional(median(values));
  }

  void read_line(std::size_t offset, std::string_view line) {
    const std::size_t title = line.find("--- arguments ---");
    if (title != std::string_view::npos) {
      const std::string file = file_;
      run_ = {};
      run_.arguments.file = file;
      times_.clear();
      rates_.clear();
      foreign_.clear();
      started_ = inside_ = true;
      block_ = offset + title;
    } else if (line.find("--- end of arguments ---") != std::string_view::npos) {
      inside_ = false;
    } else if (inside_) {
      read_argument(offset, line);
    } else {
      read_measurements(offset, line);
    }
  }

  /// Reads `  name ..... value`.
  void read_argument(std::size_t offset, std::string_view line) {
    std::size_t dots = line.find(" .");
    if (dots == std::string_view::npos)
      return;
    const std::size_t after = line.find_first_not_of('.', dots + 1);
    const std::string before = trimmed(line.substr(0, dots));
    const std::string name = before.substr(before.find_last_of(" \t:]>") + 1);
    if (after == std::string_view::npos || line[after] != ' ' || name.empty())
      return;
    add(name, trimmed(line.substr(after)), locate_offset(file_, text_, offset + after + 1));
  }

  void add(const std::string& written, const std::string& value, const InputLocation& where) {
    MegatronArgument argument{argument_name(written), where, {}};
    const std::string opposite = opposite_flag(argument.name);
    if (!opposite.empty())
      argument.name = opposite;
    if (value == "None" || value == "[]" || value == "()" || value.empty() ||
        value == (opposite.empty() ? "False" : "True"))
      return;
    const ArgumentRule* rule = find_argument_rule(argument.name);
    if (!rule) {
      foreign_.push_back(written);
      return;
    }
    if (rule->shape != ArgumentShape::flag)
      for (const std::string& item : items_of(value))
        argument.values.push_back({item, where, {}});
    run_.arguments.add(std::move(argument));
  }

  void read_measurements(std::size_t offset, std::string_view line) {
    if (const auto time = number_after(line, "elapsed time per iteration (ms):"); time && *time > 0)
      times_.push_back(*time);
    for (const char* text : {"throughput per GPU (TFLOP/s/GPU):", "compute per GPU (TFLOP/s/GPU):"})
      if (const auto rate = number_after(line, text); rate && *rate > 0)
        rates_.push_back(*rate);
    if (const auto memory = number_after(line, "| max allocated:"))
      run_.allocated_gib = std::max(run_.allocated_gib.value_or(0.0), *memory / 1024.0);
    const auto vocabulary = number_after(line, "dummy tokens (new size:");
    if (vocabulary && !run_.arguments.has("padded-vocab-size"))
      add("padded_vocab_size", std::to_string(static_cast<std::int64_t>(*vocabulary)),
          locate_offset(file_, text_, offset + line.find("(new size:") + 1));
  }

  const std::string& file_;
  const std::string& text_;
  LoggedRun run_;
  std::vector<double> times_;
  std::vector<double> rates_;
  std::vector<std::string> foreign_;
  std::size_t block_ = 0;
  bool started_ = false;
  bool inside_ = false;
};

} // namespace

LoggedRun read_megatron_log(const std::filesystem::path& file) {
  const std::string name = file.string();
  const std::string text = read_file(file);
  return LogReader(name, text).read();
}

} // namespace moesim
