#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Lists and names of the enumerators of an enumeration. Their number follows from the declaration.
/// Enumerators count from 0 without gaps.
namespace moesim {

/// The number of an id or an enumerator, as an index of an array.
template <typename Enumeration> constexpr std::size_t index(Enumeration value) {
  return static_cast<std::size_t>(value);
}

/// True for a declared enumerator. GCC and Clang spell it by its name in the text of a function's
/// signature, and any other value as a cast: "value = (moesim::Stream)6".
template <auto value> consteval bool is_enumerator() {
  const std::string_view signature = __PRETTY_FUNCTION__;
  constexpr std::string_view before = "value = ";
  return signature[signature.rfind(before) + before.size()] != '(';
}

template <typename Enumeration, std::size_t from = 0> consteval std::size_t count_enumerators() {
  if constexpr (is_enumerator<static_cast<Enumeration>(from)>())
    return count_enumerators<Enumeration, from + 1>();
  else
    return from;
}

/// The number of enumerators: the size of an array that is indexed by them.
template <typename Enumeration>
inline constexpr std::size_t enumerator_count = count_enumerators<Enumeration>();

/// Every enumerator, in the order of the declaration.
template <typename Enumeration>
inline constexpr std::array<Enumeration, enumerator_count<Enumeration>> enumerators = [] {
  std::array<Enumeration, enumerator_count<Enumeration>> all{};
  for (std::size_t i = 0; i < all.size(); ++i)
    all[i] = static_cast<Enumeration>(i);
  return all;
}();

/// True if a table has one row for every enumerator, in the order of the declaration, so that
/// `rows[index(value)]` is the row of a value. `key` is the member that holds the enumerator.
template <typename Enumeration, typename Row, std::size_t n>
constexpr bool covers_each(const std::array<Row, n>& rows, Enumeration Row::*key) {
  if (n != enumerator_count<Enumeration>)
    return false;
  for (std::size_t i = 0; i < n; ++i)
    if (rows[i].*key != enumerators<Enumeration>[i])
      return false;
  return true;
}

/// An enumerator and its name in files and tables.
template <typename Enumeration> struct Named {
  Enumeration value;
  const char* name;
};

template <typename Enumeration, std::size_t n>
constexpr bool names_each(const std::array<Named<Enumeration>, n>& names) {
  return covers_each(names, &Named<Enumeration>::value);
}

/// The name of an enumerator. The table must have it.
template <typename Enumeration, std::size_t n>
constexpr const char* name_of(const std::array<Named<Enumeration>, n>& names, Enumeration value) {
  return std::find_if(names.begin(), names.end(),
                      [&](const Named<Enumeration>& row) { return row.value == value; })
      ->name;
}

/// The enumerator of a name; nothing if no row has the name.
template <typename Enumeration, std::size_t n>
constexpr std::optional<Enumeration> value_named(const std::array<Named<Enumeration>, n>& names,
                                                 std::string_view name) {
  for (const Named<Enumeration>& row : names)
    if (row.name == name)
      return row.value;
  return std::nullopt;
}

/// The names, in the order of the table.
template <typename Enumeration, std::size_t n>
std::vector<std::string> names_of(const std::array<Named<Enumeration>, n>& names) {
  std::vector<std::string> all;
  for (const Named<Enumeration>& row : names)
    all.emplace_back(row.name);
  return all;
}

} // namespace moesim
