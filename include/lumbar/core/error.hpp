// Errors and results. Loading, graph building and compiling report an Error; running cannot fail.
#pragma once

#include <lumbar/config/config.hpp>

#include <exception>
#include <string>
#include <utility>
#include <variant>

LUMBAR_NAMESPACE_BEGIN

/// What went wrong, in one message for a person: which tensor, layer or file, what was expected,
/// what was found, and what to do. Thrown by the convenience functions, returned by the try_ ones.
class Error : public std::exception {
   public:
    enum class Code {
        io,           ///< a file cannot be opened or read
        format,       ///< bytes are not what their container promises
        weights,      ///< tensors are missing, extra or misshapen for the network
        graph,        ///< the network itself is inconsistent, or has no output at this input size
        argument,     ///< a parameter of a call is out of range
        unsupported,  ///< valid, but outside what the library does
    };

    LUMBAR_COLD Error(Code code, std::string message) : code_(code), message_(std::move(message)) {}
    // Out of line, as the constructor: errors are made in a hundred places, and never often.
    LUMBAR_COLD Error(const Error&) = default;
    LUMBAR_COLD Error(Error&&) noexcept = default;
    LUMBAR_COLD Error& operator=(const Error&) = default;
    LUMBAR_COLD Error& operator=(Error&&) noexcept = default;
    LUMBAR_COLD ~Error() override = default;

    Code code() const noexcept { return code_; }
    const std::string& message() const noexcept { return message_; }
    const char* what() const noexcept override { return message_.c_str(); }

   private:
    Code code_;
    std::string message_;
};

/// A value or an Error. `if (!result) return result.error();` passes a failure on.
template <class T>
class [[nodiscard]] Result {
   public:
    using value_type = T;

    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

    explicit operator bool() const noexcept { return state_.index() == 0; }
    bool has_value() const noexcept { return state_.index() == 0; }

    /// Precondition: has_value().
    T& operator*() & noexcept { return *std::get_if<0>(&state_); }
    const T& operator*() const& noexcept { return *std::get_if<0>(&state_); }
    T&& operator*() && noexcept { return std::move(*std::get_if<0>(&state_)); }
    T* operator->() noexcept { return std::get_if<0>(&state_); }
    const T* operator->() const noexcept { return std::get_if<0>(&state_); }

    /// Precondition: !has_value().
    const Error& error() const noexcept { return *std::get_if<1>(&state_); }

    /// The value; throws the Error where there is none (std::terminate without exceptions).
    T value() && {
        if (!has_value()) raise(error());
        return std::move(**this);
    }

    [[noreturn]] static void raise([[maybe_unused]] const Error& error) {
#if LUMBAR_HAS_EXCEPTIONS
        throw Error(error);
#else
        std::terminate();
#endif
    }

   private:
    std::variant<T, Error> state_;
};

/// The result of something that has no value: `return Success{};`.
struct Success {};
using Status = Result<Success>;

LUMBAR_NAMESPACE_END
