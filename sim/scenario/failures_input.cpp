#include "sim/scenario/failures_input.hpp"

namespace moesim {

namespace {

constexpr Range<double> any_minutes{0.0, 1e6};
constexpr Range<double> any_hours{1e-3, 1e12};

Seconds minutes_or(const TomlTable& table, const std::string& key, Seconds otherwise) {
  return {60.0 * table.number_or(key, any_minutes, otherwise.value / 60.0)};
}

std::optional<Seconds> optional_hours(const TomlTable& table, const std::string& key) {
  if (!table.has(key))
    return std::nullopt;
  return Seconds{3600.0 * table.number(key, any_hours)};
}

} // namespace

FailureSpec parse_failures(const TomlTable& root) {
  FailureSpec spec;
  const auto table = root.optional_table("failures");
  if (!table)
    return spec;
  spec.fleet = table->text_or("fleet", spec.fleet);
  spec.fleet_place = table->has("fleet") ? table->where("fleet") : table->here();
  spec.mtbf = {optional_hours(*table, "gpu_mtbf_hours"), optional_hours(*table, "nic_mtbf_hours"),
               optional_hours(*table, "switch_mtbf_hours"),
               optional_hours(*table, "host_mtbf_hours"),
               optional_hours(*table, "software_mtbf_hours")};
  if (table->has("storage_gbyte_per_s"))
    spec.storage = gbyte_per_s(table->number("storage_gbyte_per_s", {1e-3, 1e9}));
  spec.checkpoint = chosen_or(*table, "checkpoint", checkpoint_write_names, spec.checkpoint);
  if (table->has("checkpoint_interval_minutes"))
    spec.interval = Seconds{60.0 * table->number("checkpoint_interval_minutes", {1e-2, 1e6})};
  spec.detection = minutes_or(*table, "detection_minutes", spec.detection);
  spec.restart = minutes_or(*table, "restart_minutes", spec.restart);
  spec.repair = {3600.0 * table->number_or("repair_hours", any_hours, spec.repair.value / 3600.0)};
  if (table->has("spare_hosts"))
    spec.spare_hosts = table->integer("spare_hosts", {0, 1'000'000});
  spec.nic_failure = chosen_or(*table, "nic_failure", nic_failure_names, spec.nic_failure);
  table->finish();
  return spec;
}

} // namespace moesim
