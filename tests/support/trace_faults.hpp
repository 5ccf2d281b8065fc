#pragma once

#include "sim/replay/timeline.hpp"
#include "sim/schedule/step_graph.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace moesim {

/// A row of a trace: process and thread.
using TraceRow = std::pair<std::int64_t, std::int64_t>;

inline TraceRow row_of(const nlohmann::json& event) {
  return {event.at("pid"), event.at("tid")};
}

/// A time of a trace, given in microseconds, as the whole nanoseconds that a viewer reads.
inline std::int64_t ns_of(const nlohmann::json& microseconds) {
  return std::llround(microseconds.get<double>() * 1e3);
}

/// The events of one phase ("X", "M", "s", "f"), in the order of the file.
inline std::vector<nlohmann::json> events_of(const nlohmann::json& trace,
                                             const std::string& phase) {
  std::vector<nlohmann::json> events;
  for (const nlohmann::json& event : trace.at("traceEvents"))
    if (event.at("ph") == phase)
      events.push_back(event);
  return events;
}

/// The first fault of a trace's rows, such as two events of a row at the same time; "" if rows are
/// well formed and all have a name.
inline std::string row_fault(const nlohmann::json& trace) {
  std::set<TraceRow> named;
  for (const nlohmann::json& event : events_of(trace, "M"))
    if (event.at("name") == "thread_name" && !named.insert(row_of(event)).second)
      return "named twice: " + event.dump();
  std::map<TraceRow, std::vector<std::pair<std::int64_t, std::int64_t>>> spans;
  for (const nlohmann::json& event : events_of(trace, "X")) {
    const std::int64_t start = ns_of(event.at("ts"));
    spans[row_of(event)].emplace_back(start, start + ns_of(event.at("dur")));
  }
  for (auto& [row, list] : spans) {
    if (named.erase(row) == 0)
      return fmt::format("no name: row {} of process {}", row.second, row.first);
    std::sort(list.begin(), list.end());
    for (std::size_t next = 1; next < list.size(); ++next)
      if (list[next].first < list[next - 1].second)
        return fmt::format("overlap at {} ns in row {} of process {}", list[next].first, row.second,
                           row.first);
  }
  return named.empty() ? "" : fmt::format("no event: row {}", named.begin()->second);
}

/// The events of each row that have a length, by the nanosecond of their start.
using DrawnEvents = std::map<TraceRow, std::map<std::int64_t, nlohmann::json>>;

inline DrawnEvents drawn_events(const nlohmann::json& trace) {
  DrawnEvents drawn;
  for (const nlohmann::json& event : events_of(trace, "X"))
    if (ns_of(event.at("dur")) > 0)
      drawn[row_of(event)].emplace(ns_of(event.at("ts")), event);
  return drawn;
}

/// The event that one end of an arrow lies in: the last of its row that has started and not ended.
/// Null if there is none.
inline nlohmann::json covering(const DrawnEvents& drawn, const nlohmann::json& arrow_end) {
  const auto row = drawn.find(row_of(arrow_end));
  if (row == drawn.end())
    return nullptr;
  const std::int64_t time = ns_of(arrow_end.at("ts"));
  const auto after = row->second.upper_bound(time);
  if (after == row->second.begin())
    return nullptr;
  const auto& [start, event] = *std::prev(after);
  return time < start + ns_of(event.at("dur")) ? event : nlohmann::json();
}

/// The first fault of a trace's arrows: each must lead, forward in time, from a transfer to an
/// event of another process.
inline std::string arrow_fault(const nlohmann::json& trace) {
  std::map<std::int64_t, nlohmann::json> starts;
  for (const nlohmann::json& start : events_of(trace, "s"))
    if (!starts.emplace(start.at("id"), start).second)
      return "two starts: " + start.dump();
  const DrawnEvents drawn = drawn_events(trace);
  for (const nlohmann::json& finish : events_of(trace, "f")) {
    const auto found = starts.find(finish.at("id"));
    if (found == starts.end())
      return "a finish without a start of its own: " + finish.dump();
    const nlohmann::json& start = found->second;
    const nlohmann::json source = covering(drawn, start);
    if (finish.at("bp") != "e" || finish.at("name") != start.at("name") ||
        finish.at("cat") != start.at("cat") || source.is_null() || source.at("cat") != "transfer" ||
        covering(drawn, finish).is_null() || finish.at("pid") == start.at("pid") ||
        ns_of(finish.at("ts")) < ns_of(source.at("ts")) + ns_of(source.at("dur")))
      return "not an arrow: " + start.dump() + " " + finish.dump();
    starts.erase(found);
  }
  return starts.empty() ? "" : "no finish: " + starts.begin()->second.dump();
}

/// Which operation of the graph does not appear once on each of its devices, at its time.
inline std::string coverage_fault(const nlohmann::json& trace, const StepGraph& graph,
                                  const Timeline& timeline) {
  using Shown = std::tuple<std::string, std::string, std::int64_t, std::int64_t>;
  std::map<std::int64_t, std::string> devices; // by process
  for (const nlohmann::json& event : events_of(trace, "M"))
    if (event.at("name") == "process_name")
      devices[event.at("pid")] = event.at("args").at("name");
  std::multiset<Shown> expected;
  for (std::uint32_t op = 0; op < graph.ops.size(); ++op)
    for (const DeviceId id : graph.devices_of(graph.ops[op])) {
      const Device& device = graph.devices[index(id)];
      const OpSpan& span = timeline.ops[op];
      if (span.finish >= Seconds{0.0})
        expected.emplace(fmt::format("Stage[{}].Rank[{}]", device.stage, index(device.rank)),
                         graph.name_of(OpId(op)), std::llround(span.start.value * 1e9),
                         std::llround(span.finish.value * 1e9));
    }
  for (const nlohmann::json& event : events_of(trace, "X")) {
    const std::int64_t start = ns_of(event.at("ts"));
    const auto found = expected.find(
        {devices.at(event.at("pid")), event.at("name"), start, start + ns_of(event.at("dur"))});
    if (found == expected.end())
      return "is no operation: " + event.dump();
    expected.erase(found);
  }
  return expected.empty() ? "" : "is not shown: " + std::get<1>(*expected.begin());
}

/// The first thing that is wrong with a trace of a replay; "" if nothing is.
inline std::string trace_fault(const nlohmann::json& trace, const StepGraph& graph,
                               const Timeline& timeline) {
  for (const std::string& fault :
       {row_fault(trace), arrow_fault(trace), coverage_fault(trace, graph, timeline)})
    if (!fault.empty())
      return fault;
  return "";
}

} // namespace moesim
