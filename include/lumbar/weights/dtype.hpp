// Element types that weight files name.
#pragma once

#include <lumbar/config/config.hpp>

#include <optional>
#include <string_view>

LUMBAR_NAMESPACE_BEGIN

/// The type of a tensor's elements. Only f32, f16, bf16 and f64 can be read as numbers here; the
/// rest are known so that a file that holds them (a counter, a mask) can be checked and its other
/// tensors used.
enum class Dtype {
    f64,
    f32,
    f16,
    bf16,
    i64,
    i32,
    i16,
    i8,
    u64,
    u32,
    u16,
    u8,
    boolean,
    c64,
    f8_e5m2,
    f8_e4m3,
    f8_e8m0,
    f8_e4m3fnuz,
    f8_e5m2fnuz,
    f6_e2m3,
    f6_e3m2,
    f4,
};

namespace detail {

struct DtypeInfo {
    Dtype dtype;
    std::string_view name;
    int bits;
};

/// In the order of the enumerators. Names and sizes: the safetensors format,
/// safetensors/src/tensor.rs.
inline constexpr DtypeInfo kDtypes[] = {
    {Dtype::f64, "F64", 64},
    {Dtype::f32, "F32", 32},
    {Dtype::f16, "F16", 16},
    {Dtype::bf16, "BF16", 16},
    {Dtype::i64, "I64", 64},
    {Dtype::i32, "I32", 32},
    {Dtype::i16, "I16", 16},
    {Dtype::i8, "I8", 8},
    {Dtype::u64, "U64", 64},
    {Dtype::u32, "U32", 32},
    {Dtype::u16, "U16", 16},
    {Dtype::u8, "U8", 8},
    {Dtype::boolean, "BOOL", 8},
    {Dtype::c64, "C64", 64},
    {Dtype::f8_e5m2, "F8_E5M2", 8},
    {Dtype::f8_e4m3, "F8_E4M3", 8},
    {Dtype::f8_e8m0, "F8_E8M0", 8},
    {Dtype::f8_e4m3fnuz, "F8_E4M3FNUZ", 8},
    {Dtype::f8_e5m2fnuz, "F8_E5M2FNUZ", 8},
    {Dtype::f6_e2m3, "F6_E2M3", 6},
    {Dtype::f6_e3m2, "F6_E3M2", 6},
    {Dtype::f4, "F4", 4},
};

static_assert([] {
    int next = 0;
    for (const DtypeInfo& info : kDtypes) {
        if (static_cast<int>(info.dtype) != next++) return false;
    }
    return next == static_cast<int>(Dtype::f4) + 1;
}());

}  // namespace detail

/// Size of one element in bits (F4 and F6 elements are smaller than a byte).
constexpr int size_in_bits(Dtype dtype) { return detail::kDtypes[static_cast<int>(dtype)].bits; }

/// Size of one element in bytes, or 0 where elements do not begin at byte borders.
constexpr int size_in_bytes(Dtype dtype) {
    return size_in_bits(dtype) % 8 == 0 ? size_in_bits(dtype) / 8 : 0;
}

/// Whether elements can be read as float or double: f32, f16, bf16, f64.
constexpr bool is_readable_float(Dtype dtype) {
    return dtype == Dtype::f32 || dtype == Dtype::f16 || dtype == Dtype::bf16 ||
           dtype == Dtype::f64;
}

/// The safetensors spelling: "F32", "BF16", "BOOL".
constexpr std::string_view to_string(Dtype dtype) {
    return detail::kDtypes[static_cast<int>(dtype)].name;
}

/// The type that safetensors spells so, or nothing.
constexpr std::optional<Dtype> parse_dtype(std::string_view name) {
    for (const detail::DtypeInfo& info : detail::kDtypes) {
        if (info.name == name) return info.dtype;
    }
    return std::nullopt;
}

LUMBAR_NAMESPACE_END
