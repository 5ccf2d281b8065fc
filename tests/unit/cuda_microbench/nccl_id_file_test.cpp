#include "cuda_microbench/core/nccl_id_file.hpp"
#include "tests/support/temporary_folder.hpp"

#include <catch2/catch.hpp>

using namespace moesim::microbench;

TEST_CASE("the id that the first process writes is what the others read") {
  const moesim::TemporaryFolder folder;
  const NcclIdFile file(folder.path() / "id", "7.1");
  NcclId id;
  for (std::size_t i = 0; i < id.bytes.size(); ++i)
    id.bytes[i] = static_cast<char>(2 * i); // among them those of more than seven bits
  file.write(id);
  CHECK(file.wait(std::chrono::milliseconds(0)).bytes == id.bytes);
  file.remove();
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("an id of another run is not taken") {
  const moesim::TemporaryFolder folder;
  NcclIdFile(folder.path() / "id", "6.1").write({});
  const NcclIdFile own(folder.path() / "id", "7.1");
  CHECK_THROWS_WITH(own.wait(std::chrono::milliseconds(10)),
                    Catch::Contains("it is of run 6.1, this is 7.1"));
}

TEST_CASE("without a file, or with another one, the wait ends with what is there") {
  const moesim::TemporaryFolder folder;
  const NcclIdFile file(folder.path() / "id", "");
  CHECK_THROWS_WITH(file.wait(std::chrono::milliseconds(10)), Catch::Contains("it is not there"));
  folder.write("id", "some other text\n");
  CHECK_THROWS_WITH(file.wait(std::chrono::milliseconds(10)), Catch::Contains("it holds no id"));
  CHECK_THROWS_WITH(NcclIdFile(folder.path() / "none/id", "").write({}),
                    Catch::Contains("cannot be written"));
}
