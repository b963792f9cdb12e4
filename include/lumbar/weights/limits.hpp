// How far a weight file is followed.
#pragma once

#include <lumbar/core/file.hpp>

#include <cstddef>
#include <cstdint>

LUMBAR_NAMESPACE_BEGIN

/// Limits on what load_weights takes from a file. A backbone has some thousands of tensors, and its
/// pickle forty operations for each; what goes beyond is an Error that names the limit.
struct LoadLimits {
    std::uint64_t bytes = kMaxFileBytes;        ///< of the file, and of what it unpacks to
    std::size_t tensors = 65'536;               ///< in the file
    std::size_t depth = 64;                     ///< of what a pickle has opened and not closed
    std::size_t pickle_operations = 4'000'000;  ///< in all pickles of a file
};

/// Bytes of a tensor's name, at most, in every container.
inline constexpr std::size_t kLongestTensorName = 1024;

LUMBAR_NAMESPACE_END
