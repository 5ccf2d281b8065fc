#include "cuda_microbench/core/nccl_id_file.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <optional>
#include <stdexcept>
#include <thread>

namespace moesim::microbench {

namespace {

constexpr const char* first_word = "moesim-nccl-id";

std::string hexadecimal(const NcclId& id) {
  std::string text;
  for (const char byte : id.bytes)
    text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

std::optional<NcclId> parsed(const std::string& text) {
  NcclId id;
  if (text.size() != 2 * id.bytes.size() ||
      text.find_first_not_of("0123456789abcdef") != std::string::npos)
    return std::nullopt;
  for (std::size_t i = 0; i < id.bytes.size(); ++i)
    id.bytes[i] = static_cast<char>(std::stoi(text.substr(2 * i, 2), nullptr, 16));
  return id;
}

} // namespace

NcclIdFile::NcclIdFile(std::filesystem::path path, std::string job)
    : path_(std::move(path)), job_(job.empty() ? "-" : std::move(job)) {}

void NcclIdFile::write(const NcclId& id) const {
  std::filesystem::path written = path_;
  written += fmt::format(".{}", getpid());
  std::ofstream file(written, std::ios::binary);
  file << first_word << ' ' << job_ << ' ' << hexadecimal(id) << '\n';
  file.close();
  std::error_code error;
  if (file)
    std::filesystem::rename(written, path_, error);
  if (!file || error)
    throw std::runtime_error(path_.string() + " cannot be written: NCCL's id goes there");
}

NcclId NcclIdFile::wait(std::chrono::milliseconds timeout) const {
  const auto end = std::chrono::steady_clock::now() + timeout;
  std::string found = "it is not there";
  while (true) {
    std::ifstream file(path_, std::ios::binary);
    std::string word;
    std::string job;
    std::string text;
    if (file >> word >> job >> text) {
      const std::optional<NcclId> id = parsed(text);
      if (word == first_word && job == job_ && id)
        return *id;
      found = word == first_word && id ? fmt::format("it is of run {}, this is {}", job, job_)
                                       : "it holds no id";
    }
    if (std::chrono::steady_clock::now() >= end)
      throw std::runtime_error(
          fmt::format("no id of NCCL in {} after {} s: {}. Is it on a disk that all nodes see, and "
                      "was rank 0 started?",
                      path_.string(), timeout.count() / 1000, found));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

void NcclIdFile::remove() const {
  std::error_code ignored;
  std::filesystem::remove(path_, ignored);
}

} // namespace moesim::microbench
