// The Python objects that a pickled state dict may name. A name becomes an enumerator, never
// something that is called; every other name is refused.
#pragma once

#include <lumbar/core/text.hpp>
#include <lumbar/weights/dtype.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

LUMBAR_NAMESPACE_BEGIN
namespace detail {

enum class TorchName : std::uint8_t {
    none,
    ordered_dict,
    rebuild_tensor,     ///< (storage, offset, shape, strides)
    rebuild_tensor_v2,  ///< (storage, offset, shape, strides, requires_grad, hooks[, metadata])
    rebuild_tensor_v3,  ///< the same with a dtype before the metadata
    rebuild_parameter,  ///< (tensor, requires_grad, hooks[, state])
    parameter,          ///< the class itself, as versions before 0.4 wrote it
    storage,            ///< with a dtype
    untyped_storage,
    dtype,
    tensor_type,
    inert,  ///< sizes and devices: harmless, and no part of a state dict
};

struct TorchGlobal {
    TorchName name = TorchName::none;
    Dtype dtype = Dtype::u8;
};

struct TorchType {
    std::string_view storage;  ///< FloatStorage, and of old FloatTensor
    std::string_view name;     ///< torch.float32
    Dtype dtype;
};

inline constexpr TorchType kTorchTypes[] = {
    {"Float", "float32", Dtype::f32},
    {"Half", "float16", Dtype::f16},
    {"BFloat16", "bfloat16", Dtype::bf16},
    {"Double", "float64", Dtype::f64},
    {"Long", "int64", Dtype::i64},
    {"Int", "int32", Dtype::i32},
    {"Short", "int16", Dtype::i16},
    {"Char", "int8", Dtype::i8},
    {"Byte", "uint8", Dtype::u8},
    {"Bool", "bool", Dtype::boolean},
    {"ComplexFloat", "complex64", Dtype::c64},
    {"", "uint16", Dtype::u16},
    {"", "uint32", Dtype::u32},
    {"", "uint64", Dtype::u64},
    {"", "float8_e4m3fn", Dtype::f8_e4m3},
    {"", "float8_e5m2", Dtype::f8_e5m2},
};

/// What stands before `end` in `text`, or nothing where it does not end so.
constexpr std::optional<std::string_view> without_end(std::string_view text, std::string_view end) {
    if (!text.ends_with(end)) return std::nullopt;
    return text.substr(0, text.size() - end.size());
}

/// The object that a pickle calls `module`.`name`; TorchName::none where it has no business here.
LUMBAR_COLD inline TorchGlobal torch_global(std::string_view module, std::string_view name) {
    if (module == "collections" && name == "OrderedDict") return {TorchName::ordered_dict};
    if (module == "torch._utils") {
        if (name == "_rebuild_tensor_v2") return {TorchName::rebuild_tensor_v2};
        if (name == "_rebuild_parameter") return {TorchName::rebuild_parameter};
        if (name == "_rebuild_parameter_with_state") return {TorchName::rebuild_parameter};
        if (name == "_rebuild_tensor_v3") return {TorchName::rebuild_tensor_v3};
        if (name == "_rebuild_tensor") return {TorchName::rebuild_tensor};
    }
    if (module == "torch.nn.parameter" && name == "Parameter") return {TorchName::parameter};
    if (module == "torch.autograd.variable" && name == "Variable") return {TorchName::parameter};
    if (module != "torch" && module != "torch.cuda" && module != "torch.storage") return {};
    if (name == "Size" || name == "device") return {TorchName::inert};
    if (name == "UntypedStorage") return {TorchName::untyped_storage};
    const auto storage = without_end(name, "Storage");
    const auto tensor = without_end(name, "Tensor");
    for (const TorchType& type : kTorchTypes) {
        if (name == type.name) return {TorchName::dtype, type.dtype};
        if (type.storage.empty()) continue;
        if (storage == type.storage) return {TorchName::storage, type.dtype};
        if (tensor == type.storage) return {TorchName::tensor_type};
    }
    return {};
}

/// Why torch_global gave nothing, and what to do.
LUMBAR_COLD inline std::string torch_refusal(std::string_view module, std::string_view name) {
    const std::string who = in_quotes(cat({module, ".", name}));
    if (name == "_rebuild_qtensor" || name.find("QInt") != name.npos ||
        name.find("QUInt") != name.npos) {
        return cat({"holds quantised tensors (", who,
                    "), which are not read here; give the weights of the network before it was "
                    "quantised"});
    }
    if (name.starts_with("_rebuild_") && module.starts_with("torch")) {
        return cat({"holds tensors of a kind that is not read here (", who,
                    "); save them as dense ones, with .to_dense() or .contiguous()"});
    }
    return cat(
        {"is no plain state dict: it names the Python object ", who,
         ", as a whole pickled module or the state of a training does; save the tensors alone, if "
         "you trust the file: python3 -c \"import torch; m = torch.load('IN', map_location='cpu', "
         "weights_only=False); torch.save(m['model'] if isinstance(m, dict) else m.state_dict(), "
         "'OUT.pth')\""});
}

}  // namespace detail
LUMBAR_NAMESPACE_END
