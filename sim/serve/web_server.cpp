#include "sim/serve/web_server.hpp"

#include "sim/base/input_error.hpp"

#include <fmt/format.h>
#include <httplib.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>

namespace moesim {
namespace {

constexpr int bad_request = 400;
constexpr int forbidden = 403;
constexpr int not_allowed = 405;
constexpr int server_fault = 500;
constexpr int idle_seconds = 5;
constexpr std::size_t threads = 16; ///< connections at a time; a browser keeps some open unused

/// The server that a signal stops.
std::atomic<httplib::Server*> listening = nullptr;

void stop_listening(int) {
  if (httplib::Server* server = listening.load())
    server->stop();
}

void refuse(httplib::Response& response, int status, const std::string& reason) {
  response.status = status;
  response.set_content(reason + "\n", "text/plain; charset=utf-8");
}

/// An address as it stands in a link and in Host: an IPv6 address in brackets.
std::string in_link(const std::string& host, int port) {
  const bool in_brackets = host.find(':') != std::string::npos;
  return in_brackets ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

bool is_own(const std::string& named, const WebAddress& address) {
  const std::array<std::string, 4> own = {"localhost", "127.0.0.1", "::1", address.host};
  return std::any_of(own.begin(), own.end(),
                     [&](const std::string& host) { return named == in_link(host, address.port); });
}

void set_common_headers(httplib::Server& server) {
  server.set_default_headers({{"X-Content-Type-Options", "nosniff"},
                              {"Referrer-Policy", "no-referrer"},
                              {"Cross-Origin-Resource-Policy", "same-origin"},
                              {"Cache-Control", "no-store"}});
}

void add_page(httplib::Server& server, const std::string& path,
              const std::function<WebAnswer(const WebQuery&)>& page) {
  server.Get(path, [page](const httplib::Request& request, httplib::Response& response) {
    try {
      const WebAnswer answer = page(request.params);
      response.set_header("Content-Security-Policy", answer.policy);
      if (!answer.download.empty())
        response.set_header("Content-Disposition",
                            fmt::format("attachment; filename=\"{}\"", answer.download));
      response.set_content(answer.body, answer.type);
    } catch (const InputError& error) {
      refuse(response, bad_request, error.what());
    } catch (const std::exception& error) {
      refuse(response, server_fault, fmt::format("a defect of moesim: {}", error.what()));
    }
  });
}

/// Takes the address. A port that another process holds is not shared, unlike the library's
/// default.
void take_address(httplib::Server& server, WebAddress& address) {
  server.set_socket_options([](socket_t socket) {
    const int yes = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  const int taken = address.port == 0 ? server.bind_to_any_port(address.host)
                    : server.bind_to_port(address.host, address.port) ? address.port
                                                                      : -1;
  if (taken <= 0)
    throw InputError({in_link(address.host, address.port)}, "cannot listen there",
                     "another program may hold the port: --port 0 takes a free one; a --host must "
                     "be an address of this machine");
  address.port = taken;
}

} // namespace

void serve_pages(const WebAddress& wanted, const WebPages& pages,
                 const std::function<void(const std::string&)>& ready) {
  WebAddress address = wanted;
  httplib::Server server;
  server.new_task_queue = [] { return new httplib::ThreadPool(threads); };
  server.set_payload_max_length(0);
  server.set_read_timeout(idle_seconds);
  server.set_keep_alive_max_count(1);
  set_common_headers(server);
  take_address(server, address);
  server.set_pre_routing_handler(
      [&address](const httplib::Request& request, httplib::Response& response) {
        if (!is_own(request.get_header_value("Host"), address))
          refuse(response, forbidden, "this server answers to its own address alone");
        else if (request.method != "GET")
          refuse(response, not_allowed, "this server answers GET alone");
        else
          return httplib::Server::HandlerResponse::Unhandled;
        return httplib::Server::HandlerResponse::Handled;
      });
  for (const auto& [path, page] : pages)
    add_page(server, path, page);
  listening = &server;
  std::signal(SIGINT, stop_listening);
  std::signal(SIGTERM, stop_listening);
  ready(fmt::format("http://{}/", in_link(address.host, address.port)));
  server.listen_after_bind();
  listening = nullptr;
}

} // namespace moesim
