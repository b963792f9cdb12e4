// Text for messages and names: joined from pieces, and made fit to print where it comes from files.
#pragma once

#include <lumbar/config/config.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

LUMBAR_NAMESPACE_BEGIN
namespace detail {

/// The length of the UTF-8 sequence that `text` begins with: 0 where its bytes are not UTF-8.
/// Precondition: !text.empty().
LUMBAR_COLD inline std::size_t utf8_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    if (byte(0) < 0x80) return 1;
    const std::size_t length = byte(0) >= 0xF0 ? 4 : byte(0) >= 0xE0 ? 3 : 2;
    if (byte(0) < 0xC2 || byte(0) > 0xF4 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0) != 0x80) return 0;
    }
    // Second bytes that make overlong forms, surrogates, and code points above U+10FFFF.
    const bool refused = (byte(0) == 0xE0 && byte(1) < 0xA0) ||
                         (byte(0) == 0xED && byte(1) > 0x9F) ||
                         (byte(0) == 0xF0 && byte(1) < 0x90) || (byte(0) == 0xF4 && byte(1) > 0x8F);
    return refused ? 0 : length;
}

/// The same, and 0 where it is a control character (below U+0020, or U+007F to U+009F).
LUMBAR_COLD inline std::size_t printable_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const std::size_t length = utf8_length(text);
    const bool control =
        byte(0) < 0x20 || byte(0) == 0x7F || (length == 2 && byte(0) == 0xC2 && byte(1) < 0xA0);
    return control ? 0 : length;
}

/// `text` on one line, as UTF-8: control characters and stray bytes as \xNN, and cut off before it
/// has more than `limit` bytes of `text`. A tensor's name may hold a megabyte of terminal escapes;
/// a message that quotes it must not.
LUMBAR_COLD inline std::string printable(std::string_view text, std::size_t limit = 120) {
    constexpr char kHex[] = "0123456789abcdef";
    std::string out;
    std::size_t at = 0;
    while (at < text.size()) {
        const std::size_t length = printable_length(text.substr(at));
        if (at + (length == 0 ? 1 : length) > limit) return out + "...";
        if (length == 0) {
            const auto byte = static_cast<unsigned char>(text[at++]);
            out += "\\x";
            out += kHex[byte >> 4];
            out += kHex[byte & 15];
        } else {
            out += text.substr(at, length);
            at += length;
        }
    }
    return out;
}

/// `text` as printable() makes it, in single quotes.
LUMBAR_COLD inline std::string in_quotes(std::string_view text) {
    return "'" + printable(text) + "'";
}

/// The path or description that a message begins with; paths are not cut where they may be long.
inline std::string origin(std::string_view source) { return printable(source, 4096) + ": "; }

/// Text from a file, which cat() is to put in quotes, made fit to print.
struct Quoted {
    std::string_view text;
};

/// A piece of text or a whole number, for cat(). Views its text.
class Piece {
   public:
    Piece(const char* text) : text_(text) {}
    Piece(std::string_view text) : text_(text) {}
    Piece(const std::string& text) : text_(text) {}
    Piece(Quoted quoted) : text_(quoted.text), kind_(Kind::quoted) {}
    template <std::integral T>
    requires(sizeof(T) > 1)  // not bool, and no single character
        Piece(T number)
        : number_(static_cast<std::uint64_t>(number)), kind_(kind_of<T>()) {}

    LUMBAR_COLD void append_to(std::string& to) const {
        switch (kind_) {
            case Kind::text: to += text_; break;
            case Kind::quoted: to += in_quotes(text_); break;
            case Kind::whole: to += std::to_string(static_cast<std::int64_t>(number_)); break;
            case Kind::natural: to += std::to_string(number_); break;
        }
    }

   private:
    enum class Kind { text, quoted, whole, natural };
    template <class T>
    static constexpr Kind kind_of() {
        return std::is_signed_v<T> ? Kind::whole : Kind::natural;
    }

    std::string_view text_;
    std::uint64_t number_ = 0;
    Kind kind_ = Kind::text;
};

/// cat({"tensor ", name, " has ", count, " values"}). A chain of + says the same, but every + of
/// it is code in every program that includes it.
LUMBAR_COLD inline std::string cat(std::initializer_list<Piece> pieces) {
    std::string joined;
    for (const Piece& piece : pieces) piece.append_to(joined);
    return joined;
}

}  // namespace detail
LUMBAR_NAMESPACE_END
