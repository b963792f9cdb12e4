// JSON text as a stream of events: the grammar of RFC 8259 and nothing beyond it, UTF-8 checked, no
// document in memory. Two hundred lines of our own instead of a library's parser because everyone
// who includes lumbar.hpp compiles them (DEAD_ENDS.md has the seconds).
#pragma once

#include <lumbar/core/text.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

LUMBAR_NAMESPACE_BEGIN
namespace detail {

/// Who is told what a text holds, in its order. Every function but the last returns whether to go
/// on.
class JsonEvents {
   public:
    virtual bool start_object() = 0;
    virtual bool key(std::string& name) = 0;
    virtual bool end_object() = 0;
    virtual bool start_array() = 0;
    virtual bool end_array() = 0;
    virtual bool string(std::string& value) = 0;
    virtual bool natural(std::uint64_t value) = 0;
    /// Anything else: null, true, false, a negative number, a fraction, a number above 2^64 - 1.
    virtual bool other(std::string_view text) = 0;
    /// The text is not JSON: `what` stands at byte `position`, counted from 1.
    virtual void not_json(std::size_t position, const char* what) = 0;

   protected:
    ~JsonEvents() = default;
};

/// Reads one value and nothing behind it. Whoever listens limits the depth: each level of a text is
/// a level of calls.
class JsonText {
   public:
    JsonText(std::string_view text, JsonEvents& events) : text_(text), events_(events) {}

    /// False where the text is not JSON, or the listener had enough.
    LUMBAR_COLD bool read() {
        if (!value()) return false;
        skip_blanks();
        return at_ == text_.size() || fail("text after the value");
    }

   private:
    LUMBAR_COLD bool fail(const char* what) {
        events_.not_json(at_ + 1, what);
        return false;
    }

    /// The next character; 0 at the end (a zero byte is nowhere allowed either).
    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    bool take(char c) {
        if (peek() != c || c == '\0') return false;
        ++at_;
        return true;
    }
    void skip_blanks() {
        while (peek() == ' ' || peek() == '\n' || peek() == '\r' || peek() == '\t') ++at_;
    }

    LUMBAR_COLD bool value() {
        skip_blanks();
        switch (peek()) {
            case '{': ++at_; return events_.start_object() && members();
            case '[': ++at_; return events_.start_array() && elements();
            case '"': ++at_; return quoted() && events_.string(unquoted_);
            default: return word();
        }
    }

    LUMBAR_COLD bool members() {
        skip_blanks();
        if (take('}')) return events_.end_object();
        do {
            skip_blanks();
            if (!take('"')) return fail("a key in double quotes is missing");
            if (!quoted() || !events_.key(unquoted_)) return false;
            skip_blanks();
            if (!take(':')) return fail("':' is missing");
            if (!value()) return false;
            skip_blanks();
        } while (take(','));
        return take('}') ? events_.end_object() : fail("',' or '}' is missing");
    }

    LUMBAR_COLD bool elements() {
        skip_blanks();
        if (take(']')) return events_.end_array();
        do {
            if (!value()) return false;
            skip_blanks();
        } while (take(','));
        return take(']') ? events_.end_array() : fail("',' or ']' is missing");
    }

    /// null, true, false, or a number.
    LUMBAR_COLD bool word() {
        const std::size_t begin = at_;
        for (const std::string_view literal : {"null", "true", "false"}) {
            if (text_.substr(at_, literal.size()) != literal) continue;
            at_ += literal.size();
            return events_.other(literal);
        }
        bool whole = !take('-');
        std::uint64_t number = 0;
        if (!take('0')) {
            if (!is_digit()) return fail("a value is missing");
            for (; is_digit(); ++at_) {
                constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
                const auto digit = static_cast<std::uint64_t>(peek() - '0');
                whole = whole && number <= (kMost - digit) / 10;
                number = whole ? 10 * number + digit : 0;
            }
        }
        if (take('.')) {
            whole = false;
            if (!digits()) return false;
        }
        if (take('e') || take('E')) {
            whole = false;
            if (!take('+')) take('-');
            if (!digits()) return false;
        }
        return whole ? events_.natural(number) : events_.other(text_.substr(begin, at_ - begin));
    }
    bool is_digit() const { return peek() >= '0' && peek() <= '9'; }
    LUMBAR_COLD bool digits() {
        if (!is_digit()) return fail("a digit is missing");
        while (is_digit()) ++at_;
        return true;
    }

    /// What follows a double quote, up to and with the next; into unquoted_.
    LUMBAR_COLD bool quoted() {
        unquoted_.clear();
        while (!take('"')) {
            const auto c = static_cast<unsigned char>(peek());
            if (at_ == text_.size()) return fail("a text without its closing quote");
            if (c < 0x20) return fail("a control character in a text");
            if (c == '\\') {
                ++at_;
                if (!escape()) return false;
            } else {
                const std::size_t length = utf8_length(text_.substr(at_));
                if (length == 0) return fail("bytes that are not UTF-8");
                unquoted_ += text_.substr(at_, length);
                at_ += length;
            }
        }
        return true;
    }

    /// What follows a backslash.
    LUMBAR_COLD bool escape() {
        constexpr std::string_view kNames = "\"\\/bfnrt", kValues = "\"\\/\b\f\n\r\t";
        if (const auto i = kNames.find(peek()); i != std::string_view::npos) {
            ++at_;
            unquoted_ += kValues[i];
            return true;
        }
        std::uint32_t code = 0, low = 0;
        if (!take('u')) return fail("an escape that JSON does not have");
        if (!hexadecimal(code)) return false;
        if (code >= 0xDC00 && code < 0xE000) return fail("half of a surrogate pair");
        if (code >= 0xD800 && code < 0xDC00) {
            if (!take('\\') || !take('u')) return fail("half of a surrogate pair");
            if (!hexadecimal(low)) return false;
            if (low < 0xDC00 || low >= 0xE000) return fail("half of a surrogate pair");
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        }
        append_utf8(code);
        return true;
    }
    LUMBAR_COLD bool hexadecimal(std::uint32_t& code) {
        for (int i = 0; i < 4; ++i, ++at_) {
            const char c = peek();
            const int digit = c >= '0' && c <= '9'   ? c - '0'
                              : c >= 'a' && c <= 'f' ? c - 'a' + 10
                              : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                     : -1;
            if (digit < 0) return fail("\\u without four hexadecimal digits");
            code = code << 4 | static_cast<std::uint32_t>(digit);
        }
        return true;
    }
    LUMBAR_COLD void append_utf8(std::uint32_t code) {
        const auto put = [&](std::uint32_t byte) { unquoted_ += static_cast<char>(byte); };
        if (code < 0x80) return put(code);
        if (code < 0x800) {
            put(0xC0 | code >> 6);
        } else {
            if (code < 0x10000) {
                put(0xE0 | code >> 12);
            } else {
                put(0xF0 | code >> 18);
                put(0x80 | (code >> 12 & 0x3F));
            }
            put(0x80 | (code >> 6 & 0x3F));
        }
        put(0x80 | (code & 0x3F));
    }

    std::string_view text_;
    JsonEvents& events_;
    std::size_t at_ = 0;
    std::string unquoted_;  ///< the last text
};

}  // namespace detail
LUMBAR_NAMESPACE_END
