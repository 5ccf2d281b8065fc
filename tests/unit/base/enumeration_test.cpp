#include "sim/base/enumeration.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

namespace {

enum class Season { spring, summer, autumn };
constexpr auto season_names = std::to_array<Named<Season>>(
    {{Season::spring, "spring"}, {Season::summer, "summer"}, {Season::autumn, "autumn"}});

} // namespace

TEST_CASE("the declaration of an enumeration says how many enumerators there are") {
  CHECK(enumerator_count<Season> == 3);
  CHECK(enumerators<Season> == std::array{Season::spring, Season::summer, Season::autumn});
}

TEST_CASE("a table covers an enumeration if it has each enumerator once, in order") {
  CHECK(names_each(season_names));
  CHECK_FALSE(names_each(
      std::to_array<Named<Season>>({{Season::spring, "spring"}, {Season::summer, "summer"}})));
  CHECK_FALSE(names_each(std::to_array<Named<Season>>(
      {{Season::summer, "summer"}, {Season::spring, "spring"}, {Season::autumn, "autumn"}})));
  CHECK_FALSE(names_each(std::to_array<Named<Season>>(
      {{Season::spring, "spring"}, {Season::summer, "summer"}, {Season::summer, "autumn"}})));
}

TEST_CASE("an enumerator and its name find each other") {
  CHECK(name_of(season_names, Season::autumn) == std::string("autumn"));
  CHECK(value_named(season_names, "summer") == Season::summer);
  CHECK_FALSE(value_named(season_names, "winter").has_value());
  CHECK(names_of(season_names) == std::vector<std::string>{"spring", "summer", "autumn"});
}
