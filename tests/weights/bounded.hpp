// Loading with a bound on memory.
#pragma once

#include <oracle/allocation_counts.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace lumbar_test {

/// load(bytes) of a file's bytes, which end where their block ends, so that a sanitizer sees a read
/// beyond them. What is allocated meanwhile, freed or not, must stay within `times` the file, and
/// 64 KiB for messages and what every reader has. The result may be views of the bytes, which are
/// kept until some more files have been loaded.
template <class Load>
auto load_bounded(const std::string& file, std::size_t times, Load&& load) {
    static std::array<std::vector<char>, 8> kept;
    static std::size_t next = 0;
    std::vector<char>& exact = kept[next++ % kept.size()];
    exact = std::vector<char>(file.begin(), file.end());
    const std::size_t before = allocated_bytes;
    auto result = load(std::as_bytes(std::span(exact)));
    const std::size_t taken = allocated_bytes - before;
    CHECK(taken <= times * file.size() + (std::size_t{64} << 10));
    return result;
}

}  // namespace lumbar_test
