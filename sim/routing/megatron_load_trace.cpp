#include "sim/routing/megatron_load_trace.hpp"

#include "sim/base/input_error.hpp"
#include "sim/input/json_document.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace moesim {

namespace {

namespace fs = std::filesystem;

/// The recording of one rank for one layer in one iteration.
struct Record {
  std::vector<std::vector<double>> micro_batches; ///< by micro-batch: counts of the rank's experts
  InputLocation where;
};

/// Records by the layer's number.
using Iteration = std::map<std::int64_t, Record>;

struct RankRecording {
  fs::path file;
  std::map<std::int64_t, Iteration> iterations; ///< none is empty

  const Record& first() const { return iterations.begin()->second.begin()->second; }
};

std::vector<std::vector<double>> read_counts(const JsonObject& line) {
  std::vector<std::vector<double>> counts = line.number_lists("tpe");
  if (counts.empty() || counts.front().empty())
    line.fail("tpe", "tpe holds no counts");
  for (const std::vector<double>& micro_batch : counts)
    if (std::any_of(micro_batch.begin(), micro_batch.end(),
                    [](double count) { return count < 0.0; }))
      line.fail("tpe", "a count is below zero");
  return counts;
}

RankRecording read_rank(const fs::path& file) {
  RankRecording rank{.file = file, .iterations = {}};
  read_json_lines(file, [&](const JsonObject& line) {
    const std::string block = line.text("block");
    if (block == "mtp")
      return;
    if (block != "decoder")
      line.fail("block", fmt::format("the block \"{}\" is not known", block),
                "the recorder writes decoder and mtp");
    const std::int64_t iteration = line.integer("iter", 0);
    const std::int64_t layer = line.integer("layer", 0);
    Record record{.micro_batches = read_counts(line), .where = line.where("tpe")};
    if (!rank.iterations[iteration].emplace(layer, std::move(record)).second)
      line.fail("layer",
                fmt::format("layer {} of iteration {} is there a second time", layer, iteration),
                "a run that started again appends to the file: keep one of the two");
  });
  if (rank.iterations.empty())
    throw InputError({file.string()}, "records no layer of the decoder");
  return rank;
}

std::vector<RankRecording> read_ranks(const std::map<std::int64_t, fs::path>& files) {
  std::vector<RankRecording> ranks;
  for (const auto& [number, file] : files) {
    const auto expected = static_cast<std::int64_t>(ranks.size());
    if (number != expected)
      throw InputError({file.parent_path().string()},
                       fmt::format("rank{}.jsonl is missing", expected),
                       fmt::format("ranks count from 0, and rank {} is there", number));
    ranks.push_back(read_rank(file));
  }
  return ranks;
}

/// Numbers as text, consecutive ones as a range: "3-5, 7".
std::string list_ranges(const std::set<std::int64_t>& numbers) {
  std::string text;
  for (auto at = numbers.begin(); at != numbers.end();) {
    const std::int64_t begin = *at;
    std::int64_t end = begin;
    while (++at != numbers.end() && *at == end + 1)
      ++end;
    text += text.empty() ? "" : ", ";
    text += begin == end ? fmt::format("{}", begin) : fmt::format("{}-{}", begin, end);
  }
  return text.empty() ? "none" : text;
}

void check_layers(const RankRecording& rank, const ModelSpec& model) {
  std::set<std::int64_t> expected;
  for (std::size_t layer = 0; layer < model.layers.size(); ++layer)
    if (model.layers[layer].moe)
      expected.insert(static_cast<std::int64_t>(layer));
  for (const auto& [number, iteration] : rank.iterations) {
    std::set<std::int64_t> found;
    InputLocation where{rank.file.string()};
    for (const auto& [layer, record] : iteration) {
      found.insert(layer);
      if (where.line == 0 && !expected.contains(layer))
        where = record.where;
    }
    if (found != expected)
      throw InputError(where,
                       fmt::format("iteration {} records the layers {}, the model's MoE layers "
                                   "are {}",
                                   number, list_ranges(found), list_ranges(expected)),
                       "the recorder counts layers from 0 in each pipeline stage and does not say "
                       "which stage: record without a pipeline, and take the whole model");
  }
}

/// Throws InputError unless `rank` has the iterations, micro-batches and number of experts of
/// `first`.
void check_like(const RankRecording& first, const RankRecording& rank) {
  const std::string first_name = first.file.filename().string();
  for (const auto& [number, iteration] : first.iterations)
    if (!rank.iterations.contains(number))
      throw InputError({rank.file.string()},
                       fmt::format("lacks iteration {}, which {} has", number, first_name));
  const std::size_t experts = first.first().micro_batches.front().size();
  for (const auto& [number, iteration] : rank.iterations) {
    const auto like = first.iterations.find(number);
    if (like == first.iterations.end())
      throw InputError(iteration.begin()->second.where,
                       fmt::format("{} lacks iteration {}", first_name, number));
    const auto& [first_layer, first_record] = *like->second.begin();
    for (const auto& [layer, record] : iteration) {
      if (record.micro_batches.size() != first_record.micro_batches.size())
        throw InputError(record.where,
                         fmt::format("{} micro-batches of layer {}, {} of layer {} in {}",
                                     record.micro_batches.size(), layer,
                                     first_record.micro_batches.size(), first_layer, first_name));
      for (const std::vector<double>& micro_batch : record.micro_batches)
        if (micro_batch.size() != experts)
          throw InputError(record.where, fmt::format("{} experts, {} at the start of {}",
                                                     micro_batch.size(), experts, first_name));
    }
  }
}

/// Number of ranks that together hold the experts of the model once.
std::size_t find_group_size(const std::vector<RankRecording>& ranks, const ModelSpec& model) {
  const Record& first = ranks.front().first();
  const std::size_t local = first.micro_batches.front().size();
  const auto experts = static_cast<std::size_t>(model.experts.experts);
  if (experts % local != 0)
    throw InputError(first.where, fmt::format("{} experts on a rank do not divide the model's {}",
                                              local, experts));
  const std::size_t group = experts / local;
  if (ranks.size() % group != 0)
    throw InputError(
        {ranks.front().file.parent_path().string()},
        fmt::format("{} ranks of {} experts do not make up the model's {}", ranks.size(), local,
                    experts),
        fmt::format("an expert-parallel group has {} ranks: name the folder with the files of all",
                    group));
  return group;
}

} // namespace

LoadTrace read_megatron_load_trace(const std::map<std::int64_t, fs::path>& files,
                                   const ModelSpec& model) {
  const std::vector<RankRecording> ranks = read_ranks(files);
  for (const RankRecording& rank : ranks) {
    check_layers(rank, model);
    check_like(ranks.front(), rank);
  }
  const std::size_t group = find_group_size(ranks, model);
  LoadTrace trace;
  trace.rows = LoadTrace::Rows::micro_batches;
  for (const auto& [number, iteration] : ranks.front().iterations)
    for (const auto& [layer, record] : iteration)
      for (std::size_t batch = 0; batch < record.micro_batches.size(); ++batch)
        for (std::size_t start = 0; start < ranks.size(); start += group) {
          std::vector<double> row;
          for (std::size_t rank = start; rank < start + group; ++rank) {
            const Record& part = ranks[rank].iterations.at(number).at(layer);
            row.insert(row.end(), part.micro_batches[batch].begin(),
                       part.micro_batches[batch].end());
          }
          if (std::accumulate(row.begin(), row.end(), 0.0) <= 0.0)
            throw InputError(ranks[start].iterations.at(number).at(layer).where,
                             fmt::format("micro-batch {} (from 0) has no tokens", batch));
          trace.layers[layer].push_back(std::move(row));
        }
  return trace;
}

} // namespace moesim
