// What the readers of PyTorch's containers share: the file, and how they complain about it.
#pragma once

#include <lumbar/core/error.hpp>
#include <lumbar/core/text.hpp>
#include <lumbar/weights/limits.hpp>

#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>

LUMBAR_NAMESPACE_BEGIN
namespace detail {

struct TorchFile {
    std::span<const std::byte> bytes;
    std::string source;  ///< a path or a description
    LoadLimits limits;
    mutable std::size_t operations = 0;  ///< of all pickles that have been read from it

    LUMBAR_COLD Error bad(std::initializer_list<Piece> what) const {
        return Error(Error::Code::format,
                     cat({origin(source), "not a valid PyTorch file: ", cat(what)}));
    }
    LUMBAR_COLD Error refused(std::initializer_list<Piece> what) const {
        return Error(Error::Code::unsupported, origin(source) + cat(what));
    }
};

}  // namespace detail
LUMBAR_NAMESPACE_END
