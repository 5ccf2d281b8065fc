#pragma once

#include <string>
#include <string_view>

namespace moesim {

/// Text as HTML shows it, safe between tags and inside a quoted attribute.
std::string escape_html(std::string_view text);

} // namespace moesim
