#include "sim/workload/model_family.hpp"

#include "tests/support/temporary_folder.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <string>

using namespace moesim;

namespace {

/// A published number, and half of the unit of its last digit: "45.9" is right from 45.85 to 45.95,
/// "1.0e3" from 950 to 1,050.
struct Rounded {
  double value = 0.0;
  double half_unit = 0.0;
};

Rounded rounded(const std::string& text) {
  const std::size_t exponent = text.find('e');
  const std::string mantissa = text.substr(0, exponent);
  const std::size_t point = mantissa.find('.');
  const auto decimals =
      point == std::string::npos ? 0.0 : static_cast<double>(mantissa.size() - point - 1);
  const double power = exponent == std::string::npos ? 0.0 : std::stod(text.substr(exponent + 1));
  return {std::stod(text), 0.5 * std::pow(10.0, power - decimals)};
}

/// Within `share` of the published number, or as near as its digits tell.
bool agrees(double count, const std::string& published, double share) {
  const auto [value, half_unit] = rounded(published);
  return std::abs(count / 1e9 - value) <= std::max(share * value, half_unit);
}

ModelSpec read_published(const PublishedModel& published) {
  const TemporaryFolder folder;
  return read_model(folder.write("config.json", published.config));
}

double published_total(const PublishedModel& published, const ModelSpec& model) {
  const ParameterCount count = count_parameters(model);
  std::int64_t total = count.total;
  if (!published.embeddings)
    total -= count.embedding + count.head;
  const LayerParameters mtp = mtp_layer_parameters(model);
  total += published.mtp_layers * (mtp.shared_by_tokens + mtp.routed_experts);
  const double beside = published.beside.empty() ? 0.0 : std::stod(published.beside);
  return static_cast<double>(total) + beside * 1e9;
}

std::string refusal_of(const std::string& family) {
  const TemporaryFolder folder;
  folder.write("odd.toml", family);
  try {
    read_families(folder.path());
  } catch (const InputError& error) {
    return std::string(error.what()).substr(folder.path().string().size() + 1);
  }
  return "no error";
}

const std::string plain_family = R"(reads = ["odd"]
source = "none"
hidden = "h"
vocabulary = "v"
layers = "l"
heads = "a"
head_dim = "d"
dense_hidden = "w"
moe_layers = { none = true }
)";

std::vector<bool> chosen_of(const std::string& config, const LayerRule& rule, std::int64_t count) {
  return chosen_layers(JsonObject::parse(config, "config.json"), rule, count);
}

} // namespace

TEST_CASE("every published model of a family file has its published numbers of parameters") {
  int models = 0;
  for (const ModelFamily& family : shipped_families().families)
    for (const PublishedModel& published : family.published) {
      INFO(family.file.filename().string() << ": " << published.name);
      const ModelSpec model = read_published(published);
      INFO("total " << published_total(published, model) / 1e9);
      CHECK(agrees(published_total(published, model), published.total, 0.005));
      const auto active = static_cast<double>(count_parameters(model).active);
      INFO("active " << active / 1e9);
      CHECK((published.active.empty() || agrees(active, published.active, 0.02)));
      ++models;
    }
  CHECK(models >= 40);
}

TEST_CASE("every family file has a published model, but that of imported configs") {
  for (const ModelFamily& family : shipped_families().families) {
    const std::string name = family.file.stem().string();
    INFO(name);
    CHECK(family.published.empty() == name.starts_with("megatron"));
  }
}

TEST_CASE("a family that a file alone describes is read without a compiler") {
  const TemporaryFolder folder;
  folder.write("odd.toml", plain_family);
  const FamilyTable table = read_families(folder.path());
  REQUIRE(table.find("odd"));
  ModelSpec model;
  read_sizes(JsonObject::parse(R"({"h": 6, "v": 100, "l": 2, "a": 3, "d": 2, "w": 10})", "c.json"),
             *table.find("odd"), model);
  // Embedding and head 2 · 600, final norm 6; a layer: attention 4 · 36, feed-forward 3 · 60, two
  // norms of 6.
  CHECK(count_parameters(model).total == 1200 + 6 + 2 * (144 + 180 + 12));
}

TEST_CASE("a malformed family file is refused with its place") {
  CHECK(refusal_of(plain_family + "hiden = \"x\"\n") ==
        "odd.toml:10:1: error: unknown key \"hiden\"\n"
        "  hiden = \"x\"\n"
        "  ^\n"
        "  hint: did you mean \"hidden\"?");
  CHECK_THAT(refusal_of("like = \"odd\"\n" + plain_family),
             Catch::Contains("the family is like itself"));
  CHECK_THAT(refusal_of("like = \"od\"\n" + plain_family), Catch::Contains("cannot be read"));
  CHECK(refusal_of("reads = [\"odd\"]\nsource = \"none\"\n") ==
        "odd.toml: error: the family gives no size \"hidden\"");
  CHECK(refusal_of(plain_family + "[mixers.m]\nkind = \"mamba\"\nonly = {}\n") ==
        "odd.toml:11:8: error: \"mamba\" is not one of grouped-query, latent, gated-delta, "
        "lightning, mamba-1, mamba-2\n"
        "  kind = \"mamba\"\n"
        "         ^\n"
        "  hint: did you mean \"mamba-1\"?");
}

TEST_CASE("layers are chosen by steps, numbers, patterns and lists") {
  const std::vector<bool> none(4, false);
  CHECK(chosen_of("{}", {}, 4) == std::vector<bool>(4, true));
  CHECK(chosen_of("{}", {.none = true}, 4) == none);
  // Layers n with n + 1 a multiple of 2.
  CHECK(chosen_of("{}", {.every = {{"2"}}, .offset = {{"-1"}}}, 4) ==
        std::vector<bool>{false, true, false, true});
  CHECK(chosen_of("{}", {.not_every = {{"2"}}, .offset = {{"-1"}}}, 4) ==
        std::vector<bool>{true, false, true, false});
  CHECK(chosen_of("{}", {.every = {{"0"}}}, 4) == none);
  CHECK(chosen_of(R"({"first": 1, "dense": [2]})", {.first = {{"first"}}, .except = "dense"}, 4) ==
        std::vector<bool>{false, true, false, true});
  CHECK(chosen_of(R"({"enum": "1, 3"})", {.list = "enum"}, 4) ==
        std::vector<bool>{false, true, false, true});
  CHECK(chosen_of(R"({"kinds": "MEM*"})", {.patterns = {"kinds"}, .items = {"M"}}, 4) ==
        std::vector<bool>{true, false, true, false});
  CHECK(chosen_of(R"({"kinds": [0, 1, 1, 0]})", {.patterns = {"kinds"}, .items = {"1"}}, 4) ==
        std::vector<bool>{false, true, true, false});
  // A number where others have a list: the steps decide.
  CHECK(chosen_of(R"({"kinds": 1})", {.patterns = {"kinds"}, .items = {"1"}, .every = {{"2"}}},
                  4) == std::vector<bool>{true, false, true, false});
}
