// The header of a safetensors file: JSON of one fixed form, read strictly.
//
//     {"NAME": {"dtype": "F32", "shape": [64, 3, 7, 7], "data_offsets": [BEGIN, END]}, ...,
//      "__metadata__": {"KEY": "VALUE", ...}}
//
// It is read as a stream of events, not into a document: so duplicate keys are seen, nothing nests
// deeper than the format does, and memory is bounded by the header's own size.
#pragma once

#include <lumbar/core/error.hpp>
#include <lumbar/core/text.hpp>
#include <lumbar/weights/dims.hpp>
#include <lumbar/weights/dtype.hpp>
#include <lumbar/weights/json_text.hpp>
#include <lumbar/weights/limits.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

LUMBAR_NAMESPACE_BEGIN

/// Limits on a safetensors header. The first is the format's own, the others are Lumbar's: a
/// backbone has at most some thousands of tensors with names of some dozens of bytes.
struct SafetensorsLimits {
    static constexpr std::uint64_t header_bytes = 100'000'000;
    static constexpr std::size_t tensors = 65'536;
    static constexpr std::size_t name_bytes = kLongestTensorName;
    static constexpr std::uint64_t extent = (std::uint64_t{1} << 48) - 1;  // as the format's schema
};

namespace detail {

/// One tensor of the header. begin and end count from the first byte after the header.
struct SafetensorsEntry {
    std::string name;
    Dtype dtype = Dtype::f32;
    Dims shape;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
};

struct SafetensorsHeader {
    std::vector<SafetensorsEntry> tensors;  // in the file's order
    std::map<std::string, std::string> metadata;
};

/// Receives the header's events; what went wrong is in problem().
class SafetensorsHeaderReader final : public JsonEvents {
   public:
    SafetensorsHeader& header() { return header_; }
    const std::string& problem() const { return problem_; }
    Error::Code code() const { return code_; }

    // --- Scalars ---

    LUMBAR_COLD bool other(std::string_view text) override {
        if (text == "null" || text == "true" || text == "false") return unexpected(text);
        return unexpected("the number " + printable(text, 40));
    }

    LUMBAR_COLD bool natural(std::uint64_t value) override {
        if (place_ == Place::shape) {
            if (value > SafetensorsLimits::extent) {
                return fail(
                    cat({tensor(), " has an extent of ", value, "; at most 2^48 - 1 is allowed"}));
            }
            if (!entry_.shape.push_back(static_cast<std::int64_t>(value))) {
                return fail(cat({tensor(), " has more than ", Dims::kMaxRank, " dimensions"}));
            }
            return true;
        }
        if (place_ == Place::offsets) {
            if (offsets_ == 2) return fail(tensor() + ": data_offsets has more than two numbers");
            (offsets_++ == 0 ? entry_.begin : entry_.end) = value;
            return true;
        }
        return unexpected("the number " + std::to_string(value));
    }

    LUMBAR_COLD bool string(std::string& value) override {
        if (place_ == Place::metadata) {
            *metadata_value_ = std::move(value);
            return true;
        }
        if (place_ == Place::tensor && field_ == kDtype) {
            const auto dtype = parse_dtype(value);
            if (!dtype) {
                code_ = Error::Code::unsupported;
                return fail(cat({tensor(), " has the unknown dtype ", in_quotes(value),
                                 "; store it as F32, F16, BF16 or F64"}));
            }
            entry_.dtype = *dtype;
            return true;
        }
        return unexpected("the text " + in_quotes(value));
    }

    // --- Objects ---

    LUMBAR_COLD bool start_object() override {
        switch (place_) {
            case Place::before: place_ = Place::root; return true;
            case Place::root: place_ = in_metadata_ ? Place::metadata : Place::tensor; return true;
            default: return unexpected("an object");
        }
    }

    LUMBAR_COLD bool key(std::string& name) override {
        switch (place_) {
            case Place::root: return begin_member(name);
            case Place::tensor: return begin_field(name);
            default: {
                const auto [at, is_new] = header_.metadata.try_emplace(std::move(name));
                if (!is_new) {
                    return fail(cat({"__metadata__ has the key ", in_quotes(at->first), " twice"}));
                }
                metadata_value_ = &at->second;
                return true;
            }
        }
    }

    LUMBAR_COLD bool end_object() override {
        switch (place_) {
            case Place::root: place_ = Place::after; return true;
            case Place::metadata: place_ = Place::root; return true;
            default: return end_tensor();
        }
    }

    // --- Arrays ---

    LUMBAR_COLD bool start_array() override {
        if (place_ == Place::tensor && field_ == kShape) {
            place_ = Place::shape;
            return true;
        }
        if (place_ == Place::tensor && field_ == kOffsets) {
            place_ = Place::offsets;
            return true;
        }
        return unexpected("a list");
    }

    LUMBAR_COLD bool end_array() override {
        if (place_ == Place::offsets && offsets_ != 2) {
            return fail(cat({tensor(), ": data_offsets has ", offsets_, " numbers, not two"}));
        }
        place_ = Place::tensor;
        return true;
    }

    LUMBAR_COLD void not_json(std::size_t position, const char* what) override {
        fail(cat({"the header is not valid JSON near byte ", position, ": ", what}));
    }

   private:
    enum class Place { before, root, metadata, tensor, shape, offsets, after };
    enum Field : unsigned { kNone = 0, kDtype = 1, kShape = 2, kOffsets = 4 };

    bool fail(std::string problem) {
        problem_ = std::move(problem);
        return false;
    }

    std::string tensor() const { return "tensor " + in_quotes(entry_.name); }

    LUMBAR_COLD bool unexpected(std::string_view found) {
        const auto expected = [&](const std::string& what) {
            return fail(cat({what, "; found ", found}));
        };
        switch (place_) {
            case Place::before: return expected("the header must be a JSON object");
            case Place::metadata: return expected("__metadata__ may hold only texts");
            case Place::shape:
                return expected(tensor() + ": shape must be a list of whole numbers from 0");
            case Place::offsets:
                return expected(tensor() + ": data_offsets must be two whole numbers from 0");
            case Place::tensor:
                if (field_ == kDtype) return expected(tensor() + ": dtype must be a text");
                return expected(cat({tensor(), ": ", (field_ == kShape ? "shape" : "data_offsets"),
                                     " must be a list"}));
            default:
                if (in_metadata_) return expected("__metadata__ must be an object");
                return expected(tensor() + " must be an object with dtype, shape and data_offsets");
        }
    }

    LUMBAR_COLD bool begin_member(std::string& name) {
        in_metadata_ = name == "__metadata__";
        if (in_metadata_) {
            if (has_metadata_) return fail("the header has __metadata__ twice");
            has_metadata_ = true;
            return true;
        }
        if (name.size() > SafetensorsLimits::name_bytes) {
            return fail(cat({"the tensor name ", in_quotes(name), " has ", name.size(),
                             " bytes; at most ", SafetensorsLimits::name_bytes, " are allowed"}));
        }
        if (name.find('\0') != std::string::npos) {
            return fail(cat({"the tensor name ", in_quotes(name), " holds a zero byte"}));
        }
        if (header_.tensors.size() == SafetensorsLimits::tensors) {
            return fail(
                cat({"the header lists more than ", SafetensorsLimits::tensors, " tensors"}));
        }
        entry_ = {};
        entry_.name = std::move(name);
        fields_ = kNone;
        field_ = kNone;
        offsets_ = 0;
        return true;
    }

    LUMBAR_COLD bool begin_field(const std::string& name) {
        if (name == "dtype") {
            field_ = kDtype;
        } else if (name == "shape") {
            field_ = kShape;
        } else if (name == "data_offsets") {
            field_ = kOffsets;
        } else {
            // Whatever it means, ignoring it might mean wrong numbers.
            return fail(cat({tensor(), " has the unknown field ", in_quotes(name)}));
        }
        if ((fields_ & field_) != 0)
            return fail(cat({tensor(), " has the field ", name, " twice"}));
        fields_ |= field_;
        return true;
    }

    LUMBAR_COLD bool end_tensor() {
        place_ = Place::root;
        if (fields_ == (kDtype | kShape | kOffsets)) {
            header_.tensors.push_back(std::move(entry_));
            return true;
        }
        const char* missing = (fields_ & kDtype) == 0   ? "dtype"
                              : (fields_ & kShape) == 0 ? "shape"
                                                        : "data_offsets";
        return fail(cat({tensor(), " has no ", missing}));
    }

    SafetensorsHeader header_;
    SafetensorsEntry entry_;
    Place place_ = Place::before;
    Field field_ = kNone;
    unsigned fields_ = kNone;
    int offsets_ = 0;
    bool in_metadata_ = false;
    bool has_metadata_ = false;
    std::string* metadata_value_ = nullptr;  // map nodes do not move
    std::string problem_;
    Error::Code code_ = Error::Code::format;
};

/// Parses the JSON; says nothing yet about how the tensors lie in the file. `prefix` begins
/// messages.
LUMBAR_COLD inline Result<SafetensorsHeader> try_parse_safetensors_header(
    std::string_view text, const std::string& prefix) {
    const auto error = [&](Error::Code code, const std::string& what) {
        return Error(code, prefix + what);
    };
    if (const auto zero = text.find('\0'); zero != std::string_view::npos) {
        return error(Error::Code::format, "the header is not valid JSON: it holds a zero byte at " +
                                              std::to_string(zero));
    }
    if (text.substr(0, 3) == "\xEF\xBB\xBF") {
        return error(Error::Code::format,
                     "the header is not valid JSON: it begins with a byte-order "
                     "mark");
    }
    SafetensorsHeaderReader reader;
    if (!JsonText(text, reader).read()) return error(reader.code(), reader.problem());
    return std::move(reader.header());
}

}  // namespace detail
LUMBAR_NAMESPACE_END
