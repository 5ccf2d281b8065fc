#include "sim/study/time_left.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

TEST_CASE("the time left is not known before three tasks of a kind that is left have ended") {
  TimeLeft time;
  for (int task = 0; task < 5; ++task)
    time.add(SweepTask::point, 1.0);
  for (int task = 0; task < 2; ++task)
    time.end(SweepTask::point, 1.0, 3.0);
  CHECK_FALSE(time.seconds(1));
  time.end(SweepTask::point, 1.0, 3.0);
  CHECK(time.seconds(1) == 6.0); // two tasks of 3 s
  time.add(SweepTask::twin, 10.0);
  CHECK_FALSE(time.seconds(1));
  time.drop(SweepTask::twin, 10.0);
  CHECK(time.seconds(1) == 6.0);
}

// Points: 2 + 4 + 6 units took 6 s, 8 are left: 4 s. Twins: 3 units took 30 s, 1 is left: 10 s.
TEST_CASE("what is left takes the time of what has ended, by weight and kind") {
  TimeLeft time;
  for (const double weight : {2.0, 4.0, 6.0, 8.0})
    time.add(SweepTask::point, weight);
  for (int task = 0; task < 4; ++task)
    time.add(SweepTask::twin, 1.0);
  time.end(SweepTask::point, 2.0, 1.0);
  time.end(SweepTask::point, 4.0, 2.0);
  time.end(SweepTask::point, 6.0, 3.0);
  for (int task = 0; task < 3; ++task)
    time.end(SweepTask::twin, 1.0, 10.0);
  CHECK(time.seconds(1) == Approx(14.0));
  CHECK(time.seconds(2) == Approx(7.0));
  CHECK(time.seconds(64) == Approx(7.0)); // two tasks occupy two of 64
}

TEST_CASE("a sweep without tasks takes no time") {
  CHECK(TimeLeft().seconds(4) == 0.0);
}
