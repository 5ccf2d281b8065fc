#include "sim/replay/machine.hpp"

#include "sim/base/check.hpp"

#include <simgrid/kernel/Timer.hpp>
#include <simgrid/s4u.hpp>
#include <xbt/log.h>

#include <algorithm>
#include <cmath>
#include <deque>

namespace moesim {

namespace {

namespace s4u = simgrid::s4u;

/// SimGrid's solver compares with absolute precisions, so its unit of time is chosen to bring rates
/// and weights near 1: ticks of 10 picoseconds.
constexpr double ticks_per_second = 1e11;
/// Times nearer than this, in ticks, count as equal.
constexpr double same_moment_ticks = 0.1;
/// SimGrid counts whole bytes; amounts and capacities are scaled so that rounding stays below 1e-9.
constexpr double parts_per_byte = 4096.0;
/// CM02 shares a link in inverse proportion to a flow's latency. Latencies are part of an
/// operation's start-up here, so SimGrid's latency can encode the weight. This value means weight 1
/// and is too short to change a time.
constexpr double unit_latency_ticks = 0.1;
/// Number of source hosts, and of sink hosts, of the first zone; the next has twice as many, up to
/// a limit. SimGrid searches every zone for the name of each new host and link, so zones must stay
/// few, and keeps a table of all pairs of hosts of a zone, so a zone must not be larger than it is
/// filled.
constexpr std::size_t first_zone_sources = 32;
constexpr std::size_t most_zone_sources = 256;
/// A completed activity must outlive its own callback.
constexpr std::size_t completed_kept = 16;

void configure(s4u::Engine& engine) {
  // The defaults model TCP over a grid; these settings give plain max-min sharing.
  engine.set_config("network/model:CM02");
  engine.set_config("network/TCP-gamma:0");
  engine.set_config("network/crosstraffic:0");
  engine.set_config("network/latency-factor:1");
  engine.set_config("network/bandwidth-factor:1");
  engine.set_config("network/weight-S:0");
  engine.set_config("network/optim:Lazy");
  engine.set_config("cpu/optim:Lazy");
  engine.set_config("cpu/model:Cas01");
  engine.set_config("host/model:default");
  engine.set_config("surf/precision", same_moment_ticks);
  engine.set_config("maxmin/precision", 1e-9);
}

/// SimGrid's engine and its active flows.
struct Engine {
  /// The command line that SimGrid's engine requires: a name, no options.
  struct Arguments {
    int count = 1;
    char name[7] = "moesim";
    char* list[2] = {name, nullptr};
    Arguments() {
      // Hides SimGrid's messages on its own settings; errors still throw.
      xbt_log_control_set("root.threshold:critical");
    }
  };

  /// An active flow, found through the activity's user data.
  struct Running {
    s4u::ActivityPtr activity;
    std::uint32_t token = 0;
  };

  Engine() : simgrid(&arguments.count, arguments.list) { configure(simgrid); }

  void start(const s4u::CommPtr& activity, std::uint32_t token) {
    if (free.empty()) {
      running.emplace_back();
      free.push_back(&running.back());
    }
    Running* slot = free.back();
    free.pop_back();
    slot->activity = activity;
    slot->token = token;
    ++started;
    activity->set_data(slot);
    activity->start();
  }

  /// Returns the token of a completed activity and frees its slot.
  std::uint32_t finish(Running* slot) {
    completed.push_back(std::move(slot->activity));
    if (completed.size() > completed_kept)
      completed.pop_front();
    free.push_back(slot);
    ++ended;
    return slot->token;
  }

  void start_zone() {
    const std::string name = "Zone" + std::to_string(zones.size());
    const std::size_t sources = zones.empty()
                                    ? first_zone_sources
                                    : std::min(2 * zones.back().sources.size(), most_zone_sources);
    RouteZone& added = zones.emplace_back();
    added.zone = s4u::create_full_zone(name);
    added.zone->set_parent(root);
    for (std::size_t host = 0; host < sources; ++host) {
      const std::string number = std::to_string(host);
      added.sources.push_back(added.zone->create_host(name + ".Source" + number, 1.0));
      added.sinks.push_back(added.zone->create_host(name + ".Sink" + number, 1.0));
    }
  }

  Arguments arguments; // declared before the engine, which reads them
  s4u::Engine simgrid;
  s4u::NetZone* root = nullptr;
  std::vector<s4u::Link*> links;
  struct Ends {
    s4u::Host* source = nullptr;
    s4u::Host* sink = nullptr;
    double multiple = 1.0; ///< MachineRoute::multiple
  };
  std::vector<Ends> routes;
  /// A zone with hosts for routes; a full one has a route from each source to each sink. A route
  /// stores its hosts' indices in the zone's table, so all hosts must be made before the first
  /// route.
  struct RouteZone {
    s4u::NetZone* zone = nullptr;
    std::vector<s4u::Host*> sources;
    std::vector<s4u::Host*> sinks;
    std::size_t used = 0; ///< routes

    bool full() const { return used == sources.size() * sinks.size(); }
  };
  std::vector<RouteZone> zones;
  std::deque<Running> running;
  std::vector<Running*> free;
  std::deque<s4u::ActivityPtr> completed;
  std::uint64_t started = 0;
  std::uint64_t ended = 0;
  simgrid::kernel::timer::Timer* alarm = nullptr;
  const Machine::Handlers* handlers = nullptr; ///< handlers of the current run
};

class SimGridMachine : public Machine {
public:
  explicit SimGridMachine(const std::vector<MachineLink>& links);
  std::uint32_t add_route(const MachineRoute& route) override;
  void start_flow(std::uint32_t route, double bytes, std::uint32_t token) override;
  void set_alarm(Seconds delay) override;
  void cancel_alarm() override;
  void run(const Handlers& handlers) override;
  Seconds now() const override;
  std::uint64_t flows() const override;
  std::uint64_t activities() const override;

private:
  std::unique_ptr<Engine> engine_;
};

SimGridMachine::SimGridMachine(const std::vector<MachineLink>& links)
    : engine_(std::make_unique<Engine>()) {
  engine_->root = s4u::create_full_zone("cluster");
  for (std::size_t link = 0; link < links.size(); ++link)
    engine_->links.push_back(
        engine_->root
            ->create_link("Link" + std::to_string(link),
                          links[link].capacity.value * parts_per_byte / ticks_per_second)
            ->set_sharing_policy(s4u::Link::SharingPolicy::SHARED)
            ->set_latency(0.0)
            ->seal());
  s4u::Activity::on_completion_cb([engine = engine_.get()](const s4u::Activity& activity) {
    engine->handlers->on_end(engine->finish(activity.get_data<Engine::Running>()));
  });
}

std::uint32_t SimGridMachine::add_route(const MachineRoute& route) {
  INVARIANT(!route.hops.empty() && route.weight > 0.0, "hops {} weight {}", route.hops.size(),
            route.weight);
  const std::size_t number = engine_->routes.size();
  if (engine_->zones.empty() || engine_->zones.back().full())
    engine_->start_zone();
  Engine::RouteZone& routes = engine_->zones.back();
  s4u::Host* source = routes.sources[routes.used / routes.sinks.size()];
  s4u::Host* sink = routes.sinks[routes.used % routes.sinks.size()];
  ++routes.used;
  const double most =
      std::min(1e30, route.most.value * route.multiple * parts_per_byte / ticks_per_second);
  s4u::Link* weight = routes.zone->create_link("Weight" + std::to_string(number), most)
                          ->set_sharing_policy(s4u::Link::SharingPolicy::FATPIPE)
                          ->set_latency(unit_latency_ticks / (route.weight * route.multiple))
                          ->seal();
  std::vector<s4u::LinkInRoute> hops{s4u::LinkInRoute(weight)};
  for (const MachineRoute::Hop& hop : route.hops)
    for (std::uint32_t time = 0; time < hop.times; ++time)
      hops.emplace_back(engine_->links[hop.link]);
  routes.zone->add_route(source->get_netpoint(), sink->get_netpoint(), nullptr, nullptr, hops,
                         false);
  engine_->routes.push_back({source, sink, route.multiple});
  return static_cast<std::uint32_t>(number);
}

void SimGridMachine::start_flow(std::uint32_t route, double bytes, std::uint32_t token) {
  const Engine::Ends& ends = engine_->routes[route];
  const s4u::CommPtr comm = s4u::Comm::sendto_init(ends.source, ends.sink);
  comm->set_payload_size(
      static_cast<std::uint64_t>(std::llround(bytes * ends.multiple * parts_per_byte)));
  engine_->start(comm, token);
}

void SimGridMachine::set_alarm(Seconds delay) {
  cancel_alarm();
  engine_->alarm = simgrid::kernel::timer::Timer::set(
      s4u::Engine::get_clock() + delay.value * ticks_per_second, [engine = engine_.get()] {
        engine->alarm = nullptr; // SimGrid deletes it
        engine->handlers->on_alarm();
      });
}

void SimGridMachine::cancel_alarm() {
  if (engine_->alarm)
    engine_->alarm->remove();
  engine_->alarm = nullptr;
}

void SimGridMachine::run(const Handlers& handlers) {
  engine_->handlers = &handlers;
  engine_->simgrid.run();
  engine_->handlers = nullptr;
}

Seconds SimGridMachine::now() const {
  return {s4u::Engine::get_clock() / ticks_per_second};
}

std::uint64_t SimGridMachine::flows() const {
  return engine_->started - engine_->ended;
}

std::uint64_t SimGridMachine::activities() const {
  return engine_->started;
}

} // namespace

} // namespace moesim

/// The entry point that Machine::make loads.
extern "C" moesim::Machine* moesim_make_machine(const std::vector<moesim::MachineLink>& links) {
  return new moesim::SimGridMachine(links);
}
