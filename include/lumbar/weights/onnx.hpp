// The initialisers of an ONNX model, by name: its weights, without its graph. Opt-in.
//
// Exporters rename and fold: PyTorch's default merges batch normalisations into convolutions, and
// then the names are no longer the checkpoint's. Export with
// training=torch.onnx.TrainingMode.PRESERVE and do_constant_folding=False to keep them.
//
// A file is a protocol buffer: fields of (number << 3 | wire type) and a value; messages nest as
// fields of known length. Numbers of fields: onnx/onnx.proto3.
#pragma once

#include <lumbar/core/file.hpp>
#include <lumbar/weights/limits.hpp>
#include <lumbar/weights/weights.hpp>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

LUMBAR_NAMESPACE_BEGIN
namespace detail {

/// A field of a message: a number, or bytes.
struct ProtoField {
    std::uint32_t number = 0;
    int wire = 0;  ///< 0: value; 1, 5: 8 or 4 bytes; 2: bytes of known length
    std::uint64_t value = 0;
    std::span<const std::byte> bytes;
};

/// Walks over the fields of one message: `while (reader.next(field)) ...; if (reader.damaged())`.
class ProtoReader {
   public:
    explicit ProtoReader(std::span<const std::byte> message) : rest_(message) {}

    bool damaged() const { return damaged_; }

    LUMBAR_COLD bool next(ProtoField& field) {
        std::uint64_t key = 0;
        if (rest_.empty() || !take_varint(key)) return false;
        if (key >> 3 > 0x1FFFFFFF) return damage();
        field.number = static_cast<std::uint32_t>(key >> 3);
        field.wire = static_cast<int>(key & 7);
        std::uint64_t length = field.wire == 1 ? 8 : 4;
        switch (field.wire) {
            case 0: return take_varint(field.value);
            case 2:
                if (!take_varint(length)) return false;
                break;
            case 1:
            case 5: break;
            default: return damage();  // groups, which are of another age
        }
        if (length > rest_.size()) return damage();
        field.bytes = rest_.first(static_cast<std::size_t>(length));
        rest_ = rest_.subspan(field.bytes.size());
        return true;
    }

    LUMBAR_COLD bool take_varint(std::uint64_t& value) {
        value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            if (rest_.empty()) return damage();
            const auto byte = static_cast<std::uint64_t>(rest_.front());
            rest_ = rest_.subspan(1);
            value |= (byte & 0x7F) << shift;
            if (byte < 0x80) return true;
        }
        return damage();
    }

    bool at_end() const { return rest_.empty(); }

   private:
    bool damage() {
        damaged_ = true;
        return false;
    }

    std::span<const std::byte> rest_;
    bool damaged_ = false;
};

/// What onnx.TensorProto.DataType calls Lumbar's types; nothing for others.
constexpr std::optional<Dtype> onnx_dtype(std::uint64_t type) {
    constexpr std::optional<Dtype> known[] = {
        std::nullopt, Dtype::f32, Dtype::u8,    Dtype::i8,      Dtype::u16, Dtype::i16,
        Dtype::i32,   Dtype::i64, std::nullopt, Dtype::boolean, Dtype::f16, Dtype::f64,
        Dtype::u32,   Dtype::u64, Dtype::c64,   std::nullopt,   Dtype::bf16};
    return type < std::size(known) ? known[type] : std::nullopt;
}

/// An onnx.TensorProto.
class OnnxTensor {
   public:
    const std::string& name() const { return name_; }

    /// The tensor, which views `message`; `prefix` begins messages.
    LUMBAR_COLD Result<TensorData> try_read(std::span<const std::byte> message,
                                            const std::string& prefix) {
        ProtoReader reader(message);
        ProtoField field;
        const char* wrong = nullptr;
        while (!wrong && reader.next(field)) wrong = take(field);
        if (reader.damaged() && !wrong) wrong = "is damaged";
        const auto bad = [&](Error::Code code, std::string_view what) {
            return Error(code, cat({prefix, "initialiser ", in_quotes(name_), " ", what}));
        };
        if (wrong) return bad(Error::Code::format, wrong);
        if (external_) {
            return bad(Error::Code::unsupported,
                       "is kept in another file (external data), which is not followed; save the "
                       "model in one file");
        }
        const auto dtype = onnx_dtype(type_);
        if (!dtype) {
            return bad(Error::Code::unsupported, cat({"has the element type ", type_,
                                                      ", which is not read; store it as FLOAT"}));
        }
        const auto needed = checked_byte_count(*dtype, shape_);
        if (chunks_ > 1 || (chunks_ == 1 && in_floats_ && *dtype != Dtype::f32)) {
            return bad(Error::Code::format, "has values of several kinds");
        }
        if (!needed || *needed != data_.size()) {
            return bad(Error::Code::unsupported,
                       cat({"of shape ", to_string(shape_), " (", to_string(*dtype), ") has ",
                            data_.size(), " bytes in raw_data or float_data, where it should have ",
                            (needed ? std::to_string(*needed) : "more than can be counted")}));
        }
        return contiguous_tensor(*dtype, shape_, data_);
    }

   private:
    /// What is wrong with a field, or null.
    LUMBAR_COLD const char* take(const ProtoField& field) {
        const auto extent = [&](std::uint64_t value) {
            if (value > static_cast<std::uint64_t>(INT64_MAX)) return "has a negative extent";
            return shape_.push_back(static_cast<std::int64_t>(value)) ? nullptr
                                                                      : "has too many dimensions";
        };
        switch (field.number) {
            case 1: {  // dims, each alone or all in one
                if (field.wire == 0) return extent(field.value);
                if (field.wire != 2) return "is damaged";
                ProtoReader dims(field.bytes);
                for (std::uint64_t value = 0; !dims.at_end();) {
                    if (!dims.take_varint(value)) return "is damaged";
                    if (const char* wrong = extent(value)) return wrong;
                }
                return nullptr;
            }
            case 2: type_ = field.wire == 0 ? field.value : 0; return nullptr;
            case 8:
                if (field.wire != 2 || field.bytes.size() > kLongestTensorName) {
                    return "has a name that is no text, or has more than 1024 bytes";
                }
                name_.assign(reinterpret_cast<const char*>(field.bytes.data()), field.bytes.size());
                return nullptr;
            case 4:  // float_data
            case 9:  // raw_data
                if (field.wire != 2) return "is damaged";
                in_floats_ = field.number == 4;
                data_ = field.bytes;
                ++chunks_;
                return nullptr;
            case 14: external_ = field.value != 0; return nullptr;
            default: return nullptr;
        }
    }

    std::string name_;
    Dims shape_;
    std::uint64_t type_ = 0;
    std::span<const std::byte> data_;
    int chunks_ = 0;
    bool in_floats_ = false;
    bool external_ = false;
};

}  // namespace detail

/// Reads the initialisers of an ONNX model that is in memory, without copying them: the Weights
/// views `bytes` and shares `owner`, which may be null where the bytes outlive it.
LUMBAR_COLD inline Result<Weights> try_read_onnx(std::span<const std::byte> bytes,
                                                 std::shared_ptr<const void> owner,
                                                 const std::string& source,
                                                 const LoadLimits& limits = {}) {
    constexpr std::uint32_t kGraph = 7, kInitialiser = 5;
    const std::string prefix = detail::origin(source);
    const auto bad = [&](std::string_view what) {
        return Error(Error::Code::format, detail::cat({prefix, "not a valid ONNX model: ", what}));
    };
    Weights::Builder builder(source);
    builder.keep(std::move(owner));
    std::size_t count = 0;
    bool has_graph = false;
    detail::ProtoReader model(bytes);
    for (detail::ProtoField part; model.next(part);) {
        if (part.number != kGraph || part.wire != 2) continue;
        if (has_graph) return bad("it has two graphs");
        has_graph = true;
        detail::ProtoReader graph(part.bytes);
        for (detail::ProtoField field; graph.next(field);) {
            if (field.number != kInitialiser || field.wire != 2) continue;
            if (++count > limits.tensors) {
                return bad(detail::cat(
                    {"it has more than ", limits.tensors, " initialisers (LoadLimits::tensors)"}));
            }
            detail::OnnxTensor tensor;
            const Result<TensorData> view = tensor.try_read(field.bytes, prefix);
            if (!view) return view.error();
            builder.add(tensor.name(), *view);
        }
        if (graph.damaged()) return bad("its graph is damaged; fetch it again");
    }
    if (model.damaged()) return bad("it is cut off or damaged; fetch it again");
    if (!has_graph) return bad("it has no graph");
    return std::move(builder).try_build();
}

/// Loads the initialisers of an ONNX file; as try_read_onnx.
LUMBAR_COLD inline Result<Weights> try_load_onnx(const std::string& path,
                                                 const LoadLimits& limits = {}) {
    auto bytes = try_read_file(path, limits.bytes);
    if (!bytes) return bytes.error();
    const auto content = (*bytes)->span();
    return try_read_onnx(content, std::move(*bytes), path, limits);
}

/// try_load_onnx; throws its Error.
inline Weights load_onnx(const std::string& path, const LoadLimits& limits = {}) {
    return try_load_onnx(path, limits).value();
}

LUMBAR_NAMESPACE_END
