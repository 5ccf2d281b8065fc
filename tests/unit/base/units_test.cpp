#include "sim/base/units.hpp"

#include <catch2/catch.hpp>

#include <concepts>
#include <cstdint>

using namespace moesim;

namespace {

template <typename A, typename B>
concept addable = requires(A a, B b) {
  a + b;
};
template <typename A, typename B>
concept comparable = requires(A a, B b) {
  a < b;
};
template <typename A, typename B>
concept multipliable = requires(A a, B b) {
  a* b;
};
template <typename A, typename B>
concept divisible = requires(A a, B b) {
  a / b;
};

// Operations without a physical meaning do not compile.
static_assert(addable<Seconds, Seconds>);
static_assert(!addable<Seconds, Bytes>);
static_assert(!addable<Seconds, Flops>);
static_assert(!addable<Seconds, double>);
static_assert(!addable<BytesPerSecond, FlopsPerSecond>);
static_assert(!comparable<Seconds, Bytes>);
static_assert(!comparable<BytesPerSecond, FlopsPerSecond>);
static_assert(!multipliable<Seconds, Seconds>);
static_assert(!divisible<Flops, BytesPerSecond>);
static_assert(!divisible<Bytes, FlopsPerSecond>);
static_assert(!divisible<Bytes, std::int64_t>); // would round
static_assert(!std::convertible_to<double, Seconds>);
static_assert(!std::convertible_to<Seconds, double>);

} // namespace

TEST_CASE("amounts of one dimension add, scale and compare") {
  Seconds time{1.5};
  time += Seconds{0.5};
  CHECK(time == Seconds{2.0});
  CHECK(time + Seconds{1.0} == Seconds{3.0});
  CHECK(time - Seconds{3.0} == Seconds{-1.0});
  CHECK(time * 4.0 == Seconds{8.0});
  CHECK(4.0 * time == time * 4.0);
  CHECK(time / 4.0 == Seconds{0.5});
  CHECK(time < Seconds{2.5});
  CHECK(Seconds{} == Seconds{0.0});
}

TEST_CASE("the ratio of two amounts is a plain number") {
  CHECK(Seconds{3.0} / Seconds{2.0} == 1.5);
}

TEST_CASE("work over speed is time") {
  CHECK(Flops{6e12} / tflops(3.0) == Seconds{2.0});
  CHECK(Bytes{900'000'000'000} / gbyte_per_s(450.0) == Seconds{2.0});
}

TEST_CASE("numbers with a unit become SI amounts") {
  CHECK(microseconds(250.0).value == Approx(2.5e-4).epsilon(1e-15));
  CHECK(gbyte_per_s(450.0) == BytesPerSecond{4.5e11});
  CHECK(gbit_per_s(400.0) == BytesPerSecond{5e10}); // 400 / 8 = 50 GB/s
  CHECK(tflops(989.4).value == Approx(9.894e14).epsilon(1e-15));
  CHECK(gib(Bytes{80LL << 30}) == 80.0);
}

TEST_CASE("bytes stay exact where a real number would round") {
  // 2^53 + 1 is the first whole number that a double cannot hold.
  const Bytes odd = Bytes{1LL << 53} + Bytes{1};
  CHECK(odd.value == 9'007'199'254'740'993);
  CHECK(odd - Bytes{1LL << 53} == Bytes{1});
  CHECK(odd * 3 == 3 * odd);
  CHECK((odd * 3).value == 27'021'597'764'222'979);
  Bytes sum = odd;
  sum += odd;
  CHECK(sum == 2 * odd);
  CHECK(odd < sum);
}
