#include "sim/cost/provenance.hpp"

#include <catch2/catch.hpp>

#include <filesystem>

using namespace moesim;

namespace {

const std::filesystem::path shipped_calibration =
    std::filesystem::path(MOESIM_SOURCE_DIR) / "calibration";

CsvTable table_of(const std::string& provenance) {
  return CsvTable::parse("provenance\n" + provenance + "\n", "t.csv");
}

} // namespace

TEST_CASE("a provenance is one of five words") {
  for (const char* known : {"measured", "fitted", "published", "datasheet", "assumption"})
    CHECK_NOTHROW(check_provenance(table_of(known), 0));
  CHECK_THROWS_WITH(check_provenance(table_of("fited"), 0),
                    "t.csv:2:1: error: provenance: \"fited\" is not one of measured, fitted, "
                    "published, datasheet, assumption\n"
                    "  fited\n"
                    "  ^\n"
                    "  hint: did you mean \"fitted\"?");
}

TEST_CASE("no shipped constant whose source tells of a fit says that it is measured") {
  std::size_t fitted = 0;
  for (const char* name : {"compute_constants.csv", "hosts.csv", "host_proxies.csv"}) {
    const CsvTable table = CsvTable::read(shipped_calibration / name);
    for (std::size_t row = 0; row < table.rows(); ++row) {
      const bool tells_of_fit =
          table.text(row, table.column("source")).find("fitted") != std::string::npos;
      const bool says_fitted = table.text(row, table.column("provenance")) == "fitted";
      INFO(name << " row " << row);
      CHECK((!tells_of_fit || says_fitted));
      fitted += says_fitted ? 1 : 0;
    }
  }
  CHECK(fitted == 12); // 7 constants, 3 hosts, 2 proxies
}

TEST_CASE("every curve of the network comes from a fit, and says so") {
  const CsvTable table = CsvTable::read(shipped_calibration / "network_startup.csv");
  for (std::size_t row = 0; row < table.rows(); ++row)
    CHECK(table.text(row, table.column("provenance")) == "fitted");
}
