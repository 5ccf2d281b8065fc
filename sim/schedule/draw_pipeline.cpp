#include "sim/schedule/draw_pipeline.hpp"

#include "sim/base/check.hpp"
#include "sim/schedule/pipeline_times.hpp"
#include "sim/schedule/stage_parameters.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace moesim {

namespace {

constexpr std::size_t columns_max = 120;

/// The letter of each kind of pass, and its meaning.
constexpr auto pass_legends =
    std::to_array<Named<Pass>>({{Pass::forward, "F forward"},
                                {Pass::backward, "B backward"},
                                {Pass::backward_input, "I gradients of inputs"},
                                {Pass::backward_weight, "W gradients of weights"}});
static_assert(names_each(pass_legends));

char letter_of(std::int64_t chunk) {
  return static_cast<char>('a' + chunk % 26);
}

std::string head_of_line(const ParallelPlan& plan, std::size_t stage) {
  return fmt::format("stage {:>{}}  ", stage, std::to_string(plan.pipeline - 1).size());
}

std::string draw_stage(const std::vector<PassSpan>& spans, std::size_t width, bool chunks) {
  std::string line;
  for (std::size_t i = 0; i < spans.size(); ++i) {
    const auto& [pass, start, finish, result] = spans[i];
    if (pass.beside_previous)
      line += '&';
    else
      line.resize(static_cast<std::size_t>(std::lround(start)) * width, ' ');
    line += fmt::format("{}{}", *name_of(pass_legends, pass.pass), pass.micro_batch);
    if (chunks)
      line += letter_of(pass.chunk);
    const auto end = static_cast<std::size_t>(std::lround(finish)) * width - 1;
    if (i + 1 == spans.size() || !spans[i + 1].pass.beside_previous)
      line.resize(std::max(end, line.size()), '-');
  }
  return line;
}

/// The meaning of the drawn letters.
std::string legend(const std::vector<std::vector<PassSpan>>& stages, const ParallelPlan& plan) {
  const auto any = [&](const auto& is_so) {
    return std::any_of(stages.begin(), stages.end(), [&](const std::vector<PassSpan>& spans) {
      return std::any_of(spans.begin(), spans.end(),
                         [&](const PassSpan& span) { return is_so(span.pass); });
    });
  };
  std::vector<std::string> kinds;
  for (const auto& [pass, meaning] : pass_legends)
    if (any([kind = pass](const ChunkPass& drawn) { return drawn.pass == kind; }))
      kinds.emplace_back(meaning);
  if (any([](const ChunkPass& drawn) { return drawn.beside_previous; }))
    kinds.emplace_back("& side by side");
  return fmt::format("{}; then micro-batch{}.\n", fmt::join(kinds, ", "),
                     plan.chunks() > 1 ? " and chunk" : "");
}

std::string content_of(const ParallelPlan& plan, const ModelSpec& model,
                       std::int64_t virtual_stage) {
  std::vector<std::string> parts;
  if (virtual_stage == 0)
    parts.emplace_back("embedding");
  const std::int64_t first = first_layer(plan, virtual_stage);
  const std::int64_t count = plan.layers_per_stage[static_cast<std::size_t>(virtual_stage)];
  if (count == 1)
    parts.push_back(fmt::format("layer {}", first));
  if (count > 1)
    parts.push_back(fmt::format("layers {} to {}", first, first + count - 1));
  if (virtual_stage == plan.virtual_stage_count() - 1) {
    parts.emplace_back("head");
    for (std::int64_t mtp = 0; mtp < model.mtp_layers; ++mtp)
      parts.push_back(fmt::format("multi-token prediction {} with its head", mtp));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

} // namespace

std::string draw_pipeline(const ParallelPlan& plan, std::int64_t micro_batches) {
  const std::int64_t drawn = std::min(micro_batches, 2 * plan.pipeline);
  const auto stages = pipeline_times(plan, drawn, PassTimes{});
  INVARIANT(stages, "a stage waits for ever");
  const std::size_t width = 2 + std::to_string(drawn - 1).size() + (plan.chunks() > 1);
  std::string text;
  bool cut = false;
  for (std::size_t stage = 0; stage < stages->size(); ++stage) {
    std::string line =
        head_of_line(plan, stage) + draw_stage((*stages)[stage], width, plan.chunks() > 1);
    if (line.size() > columns_max) {
      line.replace(columns_max - 4, std::string::npos, " ...");
      cut = true;
    }
    text += line + '\n';
  }
  text += legend(*stages, plan) + "Passes of a kind are drawn alike long.";
  if (drawn < micro_batches)
    text += fmt::format(" {} of {} micro-batches are drawn.", drawn, micro_batches);
  if (cut)
    text += fmt::format(" Lines are cut at {} columns.", columns_max);
  return text + '\n';
}

std::string list_stages(const ParallelPlan& plan, const ModelSpec& model) {
  std::string text;
  for (std::int64_t stage = 0; stage < plan.pipeline; ++stage) {
    std::vector<std::string> chunks;
    for (std::int64_t chunk = 0; chunk < plan.chunks(); ++chunk) {
      const std::string content = content_of(plan, model, plan.virtual_stage(stage, chunk));
      chunks.push_back(plan.chunks() > 1 ? fmt::format("{}: {}", letter_of(chunk), content)
                                         : content);
    }
    text += fmt::format("{}{}\n", head_of_line(plan, static_cast<std::size_t>(stage)),
                        fmt::join(chunks, "; "));
  }
  return text;
}

} // namespace moesim
