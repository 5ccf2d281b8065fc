#include "cuda_microbench/core/collective_exchange.hpp"
#include "cuda_microbench/core/process_place.hpp"

#include <catch2/catch.hpp>

#include <map>

using namespace moesim::microbench;

namespace {

using Variables = std::map<std::string, std::string>;

ProcessPlace place_in(const Variables& variables) {
  return find_place([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

const Variables slurm{{"SLURM_PROCID", "11"}, {"SLURM_NTASKS", "16"}, {"SLURM_LOCALID", "3"},
                      {"SLURM_NODEID", "1"},  {"SLURM_JOB_ID", "42"}, {"SLURM_STEP_ID", "0"}};

Variables with(Variables variables, const std::string& name, const std::string& value) {
  variables[name] = value;
  return variables;
}

} // namespace

TEST_CASE("srun, mpirun and PMI tell a process its rank") {
  const ProcessPlace of_slurm = place_in(slurm);
  CHECK(of_slurm.rank == 11);
  CHECK(of_slurm.ranks == 16);
  CHECK(of_slurm.local_rank == 3);
  CHECK(of_slurm.node == "1");
  CHECK(of_slurm.job == "42.0");
  const ProcessPlace of_mpi = place_in({{"OMPI_COMM_WORLD_RANK", "1"},
                                        {"OMPI_COMM_WORLD_SIZE", "2"},
                                        {"OMPI_COMM_WORLD_LOCAL_RANK", "1"}});
  CHECK(of_mpi.rank == 1);
  CHECK(of_mpi.ranks == 2);
  CHECK(of_mpi.launcher == "mpirun");
  const ProcessPlace of_pmi =
      place_in({{"PMI_RANK", "3"}, {"PMI_SIZE", "4"}, {"MPI_LOCALRANKID", "1"}});
  CHECK(of_pmi.rank == 3);
  CHECK(of_pmi.local_rank == 1);
}

TEST_CASE("without a launcher a process is alone, and so is the script of a job of Slurm") {
  CHECK(place_in({}).is_alone());
  Variables script = slurm;
  script.erase("SLURM_STEP_ID");
  CHECK(place_in(script).is_alone());
}

TEST_CASE("mpirun inside a job of Slurm has the word") {
  Variables both = slurm;
  both["OMPI_COMM_WORLD_RANK"] = "5";
  both["OMPI_COMM_WORLD_SIZE"] = "8";
  both["OMPI_COMM_WORLD_LOCAL_RANK"] = "1";
  CHECK(place_in(both).rank == 5);
}

TEST_CASE("a launcher's variable that is missing or no number is an error that names it") {
  CHECK_THROWS_WITH(place_in(with(slurm, "SLURM_PROCID", "16")),
                    "SLURM_PROCID=16 is not a number from 0 to 15");
  CHECK_THROWS_WITH(place_in(with(slurm, "SLURM_NTASKS", "x")),
                    "SLURM_NTASKS=x is not a number from 1 to 1048576");
  CHECK_THROWS_WITH(place_in({{"PMI_RANK", "0"}}),
                    "PMI_SIZE is not set, though the launcher's other variables are");
}

TEST_CASE("a process takes the GPU of its local rank, or the only one that it sees") {
  const ProcessPlace place = place_in(slurm);
  CHECK(gpu_of(place, 8) == 3);
  CHECK(gpu_of(place, 1) == 0);
  CHECK_THROWS_WITH(gpu_of(place, 2), "rank 11 is process 3 of its node, and 2 GPUs are visible: "
                                      "start one process a GPU");
}

TEST_CASE("point to point each rank sends to another and one sends to it") {
  using collectives::ExchangeDistribution;
  using collectives::receiver_of;
  CHECK(receiver_of(3, 8, 8, ExchangeDistribution::equal) == 4); // one node: the next GPU
  CHECK(receiver_of(7, 8, 8, ExchangeDistribution::equal) == 0);
  CHECK(receiver_of(3, 16, 8, ExchangeDistribution::equal) == 11); // the same rail
  CHECK(receiver_of(3, 16, 8, ExchangeDistribution::rails) == 12); // the next one
  CHECK(receiver_of(15, 16, 8, ExchangeDistribution::rails) == 0);
}
