#include <catch2/catch.hpp> // compiled for its precompiled header alone
