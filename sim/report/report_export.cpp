#include "sim/report/report_export.hpp"

#include "sim/base/input_error.hpp"
#include "sim/base/output_file.hpp"
#include "sim/base/scratch_folder.hpp"
#include "sim/input/file_text.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>

namespace moesim {

namespace {

namespace fs = std::filesystem;

constexpr unsigned browser_seconds_max = 180;
constexpr int no_program = 127;

/// The names under which distributions install Chromium.
std::vector<std::string> browser_names() {
  if (const char* own = std::getenv("MOESIM_BROWSER"))
    return {own};
  return {"chromium", "chromium-browser", "google-chrome"};
}

/// Runs a program with its output in files and returns its exit status, -1 if a signal ended it.
int run_program(std::vector<std::string> arguments, const fs::path& output,
                const fs::path& errors) {
  std::vector<char*> texts;
  for (std::string& argument : arguments)
    texts.push_back(argument.data());
  texts.push_back(nullptr);
  const pid_t process = fork();
  if (process == 0) {
    alarm(browser_seconds_max);
    dup2(open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDOUT_FILENO);
    dup2(open(errors.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
    execvp(texts.front(), texts.data());
    _exit(no_program);
  }
  int status = 0;
  if (process < 0 || waitpid(process, &status, 0) != process)
    return no_program;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// Opens a page of the report with some options and returns what the browser prints. No sandbox:
/// it needs rights that containers lack, and the page is this program's own and loads nothing.
std::string browse(const fs::path& report, const std::string& address_end,
                   const std::vector<std::string>& options, const fs::path& scratch) {
  std::vector<std::string> arguments = {"",
                                        "--headless",
                                        "--no-sandbox",
                                        "--disable-gpu",
                                        "--no-first-run",
                                        "--disable-background-networking",
                                        "--disable-component-update",
                                        "--disable-sync",
                                        "--virtual-time-budget=60000",
                                        "--user-data-dir=" + (scratch / "profile").string()};
  arguments.insert(arguments.end(), options.begin(), options.end());
  arguments.push_back("file://" + fs::absolute(report).string() + address_end);
  for (const std::string& name : browser_names()) {
    arguments.front() = name;
    const int status = run_program(arguments, scratch / "output", scratch / "errors");
    if (status == 0)
      return read_file(scratch / "output");
    if (status != no_program)
      throw InputError({name},
                       fmt::format("the browser failed (exit status {}): {}", status,
                                   read_file(scratch / "errors").substr(0, 400)),
                       "MOESIM_BROWSER names another Chromium");
  }
  throw InputError({"--export"}, "drawing charts to files needs Chromium",
                   "install the Debian package chromium, or set MOESIM_BROWSER to its path");
}

/// The bytes that base64 stands for; other characters are skipped.
std::string from_base64(const std::string& text) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  unsigned bits = 0;
  int held = 0;
  for (const char character : text) {
    const std::size_t digit = digits.find(character);
    if (digit == std::string_view::npos)
      continue;
    bits = (bits << 6U) | static_cast<unsigned>(digit);
    held += 6;
    if (held < 8)
      continue;
    held -= 8;
    bytes += static_cast<char>((bits >> static_cast<unsigned>(held)) & 0xffU);
  }
  return bytes;
}

/// The charts that the page handed out: JSON in its element `pictures`.
nlohmann::json pictures_of(const std::string& page) {
  const std::string open = "<script type=\"application/json\" id=\"pictures\">";
  const std::size_t begin = page.rfind(open);
  const std::size_t end = page.find("</script>", begin);
  if (begin == std::string::npos || end == std::string::npos)
    throw InputError({"--export"}, "the browser drew no charts",
                     "open report.html to see why; MOESIM_BROWSER names another Chromium");
  return nlohmann::json::parse(page.substr(begin + open.size(), end - begin - open.size()));
}

} // namespace

std::vector<fs::path> export_report(const fs::path& report, const fs::path& folder) {
  const ScratchFolder scratch;
  fs::create_directories(folder);
  std::vector<fs::path> files;
  const std::string page = browse(report, "#mode=export", {"--dump-dom"}, scratch.path());
  const nlohmann::json pictures = pictures_of(page);
  for (const auto& [name, picture] : pictures.items()) {
    files.push_back(folder / (name + ".svg"));
    write_file(files.back(), picture.at("svg").get<std::string>());
    files.push_back(folder / (name + ".png"));
    write_file(files.back(), from_base64(picture.at("png").get<std::string>()));
  }
  const fs::path summary = folder / "summary.pdf";
  browse(report, "#mode=summary",
         {"--no-pdf-header-footer", "--window-size=794,1123",
          "--print-to-pdf=" + fs::absolute(summary).string()},
         scratch.path());
  if (!fs::exists(summary))
    throw InputError({summary.string()}, "the browser wrote no PDF");
  files.push_back(summary);
  return files;
}

} // namespace moesim
