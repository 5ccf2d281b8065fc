#include "cuda_microbench/core/csv_output.hpp"

#include <catch2/catch.hpp>

using namespace moesim::microbench;

TEST_CASE("a row has its shape, the time and the clock, which is empty if it is not known") {
  Results results;
  results.columns = {"kind", "bytes"};
  results.rows = {{{"peer", "4096"}, {}, {12.5, 0.25, 10, false, 1754.6}},
                  {{"peer", "8192"}, {}, {20.0, 1.0, 300, false, 0.0}}};
  const std::string text = csv_text(results, {"GPU: one"});
  CHECK(text.starts_with("# GPU: one\n# Units: "));
  CHECK(text.ends_with("kind,bytes,time_us,noise_percent,samples,sm_clock_mhz\n"
                       "peer,4096,12.5,0.25,10,1755\n"
                       "peer,8192,20,1,300,\n"));
}

TEST_CASE("a file says what is missing in it, a line each") {
  Results results;
  results.columns = {"bytes"};
  results.rows = {{{"16"}, {}, {1.0, 0.1, 10, true, 1000.0}}};
  results.skipped = {{{"32"}, "out of memory\nand more"}};
  results.stopped = true;
  results.failure = "an illegal memory access";
  const std::string text = csv_text(results, {});
  for (const char* line :
       {"# skipped: 32: out of memory\n", "# stopped: the time given was over, cases are missing\n",
        "# failed: an illegal memory access: cases are missing\n",
        "# throttled: 16: the SM clock was below 90 % of its maximum\n"}) {
    INFO(line);
    CHECK(text.find(line) != std::string::npos);
  }
  CHECK(text.find("and more") == std::string::npos);
}
