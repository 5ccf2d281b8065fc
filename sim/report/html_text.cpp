#include "sim/report/html_text.hpp"

namespace moesim {

std::string escape_html(std::string_view text) {
  std::string escaped;
  for (const char character : text)
    switch (character) {
    case '&':
      escaped += "&amp;";
      break;
    case '<':
      escaped += "&lt;";
      break;
    case '>':
      escaped += "&gt;";
      break;
    case '"':
      escaped += "&quot;";
      break;
    case '\'':
      escaped += "&#39;";
      break;
    default:
      escaped += character;
    }
  return escaped;
}

} // namespace moesim
