#pragma once

#include <functional>
#include <map>
#include <string>

namespace moesim {

/// The query of an address, decoded. A name may stand in it more than once.
using WebQuery = std::multimap<std::string, std::string>;

struct WebAnswer {
  std::string type; ///< "application/json"
  std::string body;
  std::string policy = "default-src 'none'"; ///< Content-Security-Policy
  std::string download = "";                 ///< the name of the file to save; empty: to show
};

/// The answer to each path that exists. Threads of the server call it side by side.
using WebPages = std::map<std::string, std::function<WebAnswer(const WebQuery&)>>;

/// The address where a server listens.
struct WebAddress {
  std::string host = "127.0.0.1";
  int port = 0; ///< 0: a free one
};

/// Listens until SIGINT or SIGTERM. `ready` is called once, with the address that it took. Answers
/// GET alone, and only requests whose Host is this address or the loopback's: a page of another
/// site cannot read it by a name that it points here. Throws InputError where the address cannot be
/// taken.
void serve_pages(const WebAddress& address, const WebPages& pages,
                 const std::function<void(const std::string&)>& ready);

} // namespace moesim
