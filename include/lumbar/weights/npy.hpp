// One NumPy array (.npy): a line of Python that describes it, then its elements.
//
//     93 'NUMPY' | version 1, 0 | u16 N | N bytes of header | elements        (u32 N from 2, 0 on)
//     {'descr': '<f4', 'fortran_order': False, 'shape': (64, 3, 7, 7), }
//
// Format: numpy/lib/format.py. The header is read as this one form, not as Python.
#pragma once

#include <lumbar/core/error.hpp>
#include <lumbar/core/text.hpp>
#include <lumbar/weights/tensor_data.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

LUMBAR_NAMESPACE_BEGIN
namespace detail {

/// Reads the header's text. On failure problem() says why.
class NpyHeader {
   public:
    explicit NpyHeader(std::string_view text) : rest_(text) {}

    const std::string& problem() const { return problem_; }
    Dtype dtype() const { return dtype_; }
    const Dims& shape() const { return shape_; }
    bool fortran_order() const { return fortran_order_; }

    LUMBAR_COLD bool read() {
        if (!take('{')) return fail("it does not begin with '{'");
        unsigned found = 0;
        while (!take('}')) {
            std::string_view key;
            if (!take_text(key) || !take(':')) return fail("'KEY': is expected");
            const unsigned bit = key == "descr" ? 1u : key == "fortran_order" ? 2u : 4u;
            if (bit == 4 && key != "shape") return fail("it has the key " + in_quotes(key));
            if ((found & bit) != 0) return fail("it has the key " + in_quotes(key) + " twice");
            found |= bit;
            if (!(bit == 1 ? read_dtype() : bit == 2 ? read_order() : read_shape())) return false;
            if (!take(',') && !rest_.starts_with('}')) return fail("',' or '}' is expected");
        }
        if (found != 7) return fail("it needs the keys descr, fortran_order and shape");
        return rest_.empty() || fail("something follows its '}'");
    }

   private:
    bool fail(std::string what) {
        problem_ = std::move(what);
        return false;
    }

    void skip_spaces() {
        while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\n')) {
            rest_.remove_prefix(1);
        }
    }

    /// The character, with the spaces around it.
    LUMBAR_COLD bool take(char c) {
        skip_spaces();
        if (rest_.empty() || rest_.front() != c) return false;
        rest_.remove_prefix(1);
        skip_spaces();
        return true;
    }

    bool take_word(std::string_view word) {
        if (!rest_.starts_with(word)) return false;
        rest_.remove_prefix(word.size());
        return true;
    }

    /// A text in quotes, without escapes.
    LUMBAR_COLD bool take_text(std::string_view& text) {
        const char quote = rest_.empty() ? ' ' : rest_.front();
        if (quote != '\'' && quote != '"') return false;
        const std::size_t end = rest_.find(quote, 1);
        if (end == std::string_view::npos) return false;
        text = rest_.substr(1, end - 1);
        rest_.remove_prefix(end + 1);
        return text.find('\\') == std::string_view::npos;
    }

    LUMBAR_COLD bool read_dtype() {
        struct Name {
            std::string_view text;
            Dtype dtype;
        };
        constexpr Name names[] = {{"<f4", Dtype::f32}, {"<f2", Dtype::f16}, {"<f8", Dtype::f64},
                                  {"<i8", Dtype::i64}, {"<i4", Dtype::i32}, {"<i2", Dtype::i16},
                                  {"|i1", Dtype::i8},  {"<u8", Dtype::u64}, {"<u4", Dtype::u32},
                                  {"<u2", Dtype::u16}, {"|u1", Dtype::u8},  {"|b1", Dtype::boolean},
                                  {"<c8", Dtype::c64}};
        std::string_view text;
        if (!take_text(text)) return fail("its elements are records, not numbers");
        for (const Name& name : names) {
            if (name.text != text) continue;
            dtype_ = name.dtype;
            return true;
        }
        const char* const advice = text.starts_with('>') ? " (big-endian)"
                                   : text == "|O"        ? " (Python objects)"
                                   : text == "|V2"       ? " (perhaps bfloat16)"
                                                         : "";
        return fail(cat({"its elements are ", in_quotes(text), advice,
                         "; save them as float32: array.astype('<f4')"}));
    }

    LUMBAR_COLD bool read_order() {
        fortran_order_ = take_word("True");
        return fortran_order_ || take_word("False") || fail("fortran_order is True or False");
    }

    LUMBAR_COLD bool read_shape() {
        const auto wrong = [&] {
            return fail("its shape must be a tuple of whole numbers from 0");
        };
        if (!take('(')) return wrong();
        while (!take(')')) {
            std::int64_t extent = 0;
            std::size_t digits = 0;
            for (; digits < rest_.size() && rest_[digits] >= '0' && rest_[digits] <= '9';
                 ++digits) {
                if (digits == 18) return fail("its shape has an extent above 10^18");
                extent = extent * 10 + (rest_[digits] - '0');
            }
            if (digits == 0) return wrong();
            rest_.remove_prefix(digits);
            take_word("L");  // Python 2's
            if (!shape_.push_back(extent)) {
                return fail(cat({"it has more than ", Dims::kMaxRank, " dimensions"}));
            }
            if (!take(',')) {
                // (3) is a number, not a tuple.
                if (!rest_.starts_with(')') || shape_.rank() == 1) return wrong();
            }
        }
        return true;
    }

    std::string_view rest_;
    std::string problem_;
    Dtype dtype_ = Dtype::f32;
    Dims shape_;
    bool fortran_order_ = false;
};

/// The array in the bytes of a .npy file, which it views. `who` begins messages.
LUMBAR_COLD inline Result<TensorData> try_read_npy(std::span<const std::byte> bytes,
                                                   const std::string& who) {
    const auto bad = [&](std::string_view what) {
        return Error(Error::Code::format, cat({who, "not a valid NumPy array: ", what}));
    };
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (!text.starts_with("\x93NUMPY")) return bad("it does not begin with NumPy's mark");
    if (text.size() < 10) return bad("it is cut off");
    const int version = text[6];
    if (version < 1 || version > 3 || text[7] != 0)
        return bad("versions 1.0, 2.0 and 3.0 are read");
    std::size_t at = version == 1 ? 10 : 12;
    if (text.size() < at) return bad("it is cut off");
    const std::size_t length = version == 1 ? load_bits<std::uint16_t>(bytes.data() + 8)
                                            : load_bits<std::uint32_t>(bytes.data() + 8);
    constexpr std::size_t kLongestHeader = 10'000;  // as in NumPy
    if (length > kLongestHeader) return bad(cat({"it claims a header of ", length, " bytes"}));
    if (length > text.size() - at) return bad("it is cut off within its header");
    NpyHeader header(text.substr(at, length));
    if (!header.read()) return bad("its header: " + header.problem());
    at += length;

    const auto needed = checked_byte_count(header.dtype(), header.shape());
    const auto what = [&] {
        return cat({"its shape ", to_string(header.shape()), " of ", to_string(header.dtype())});
    };
    if (!needed) return bad(what() + " is impossible");
    if (*needed != bytes.size() - at) {
        return bad(
            cat({what(), " needs ", *needed, " bytes, and ", bytes.size() - at,
                 " follow the header", (*needed > bytes.size() - at ? "; fetch it again" : "")}));
    }
    TensorData tensor = contiguous_tensor(header.dtype(), header.shape(), bytes.subspan(at));
    if (header.fortran_order() && *needed > 0) {
        std::int64_t stride = 1;
        for (std::size_t i = 0; i < tensor.shape.rank(); ++i) {
            tensor.strides[i] = stride;
            stride *= tensor.shape[i];
        }
    }
    return tensor;
}

}  // namespace detail
LUMBAR_NAMESPACE_END
