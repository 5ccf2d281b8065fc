#pragma once

#include <compare>
#include <cstdint>

/// Strong types for physical amounts, in SI base units. A raw number becomes a quantity where input
/// is read, and a quantity becomes a raw number where SimGrid is called or a result is printed.
namespace moesim {

/// A real amount of one dimension. Amounts of one dimension add; only the physical products and
/// quotients declared below exist between dimensions.
template <typename Tag> struct Quantity {
  double value = 0.0;

  constexpr auto operator<=>(const Quantity&) const = default;
  constexpr Quantity& operator+=(Quantity other) {
    value += other.value;
    return *this;
  }
  friend constexpr Quantity operator+(Quantity a, Quantity b) { return {a.value + b.value}; }
  friend constexpr Quantity operator-(Quantity a, Quantity b) { return {a.value - b.value}; }
  friend constexpr Quantity operator*(Quantity a, double factor) { return {a.value * factor}; }
  friend constexpr Quantity operator*(double factor, Quantity a) { return {a.value * factor}; }
  friend constexpr Quantity operator/(Quantity a, double divisor) { return {a.value / divisor}; }
  /// The ratio of two amounts is a plain number.
  friend constexpr double operator/(Quantity a, Quantity b) { return a.value / b.value; }
};

using Seconds = Quantity<struct SecondsTag>;
using Flops = Quantity<struct FlopsTag>;
using BytesPerSecond = Quantity<struct BytesPerSecondTag>;
using FlopsPerSecond = Quantity<struct FlopsPerSecondTag>;

/// A number of bytes: a whole number, so that conservation can be checked exactly.
struct Bytes {
  std::int64_t value = 0;

  constexpr auto operator<=>(const Bytes&) const = default;
  constexpr Bytes& operator+=(Bytes other) {
    value += other.value;
    return *this;
  }
  friend constexpr Bytes operator+(Bytes a, Bytes b) { return {a.value + b.value}; }
  friend constexpr Bytes operator-(Bytes a, Bytes b) { return {a.value - b.value}; }
  friend constexpr Bytes operator*(Bytes a, std::int64_t factor) { return {a.value * factor}; }
  friend constexpr Bytes operator*(std::int64_t factor, Bytes a) { return {a.value * factor}; }
};

constexpr Seconds operator/(Flops work, FlopsPerSecond speed) {
  return {work.value / speed.value};
}
constexpr BytesPerSecond operator/(Bytes amount, Seconds time) {
  return {static_cast<double>(amount.value) / time.value};
}
constexpr Seconds operator/(Bytes amount, BytesPerSecond speed) {
  return {static_cast<double>(amount.value) / speed.value};
}

constexpr Seconds microseconds(double value) {
  return {value * 1e-6};
}
constexpr BytesPerSecond gbyte_per_s(double value) {
  return {value * 1e9};
}
constexpr BytesPerSecond gbit_per_s(double value) {
  return {value * 1e9 / 8.0};
}
constexpr FlopsPerSecond tflops(double value) {
  return {value * 1e12};
}
constexpr double gib(Bytes amount) {
  return static_cast<double>(amount.value) / (1024.0 * 1024.0 * 1024.0);
}

} // namespace moesim
