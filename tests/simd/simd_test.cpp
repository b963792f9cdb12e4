#include <oracle/array.hpp>

#include <lumbar/simd/simd.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

namespace simd_test {

namespace simd = lumbar::simd;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
using oracle::kNan;

template <class Arch>
using Lanes = std::array<float, static_cast<std::size_t>(simd::lanes<Arch>)>;

template <class Arch>
Lanes<Arch> lanes_of(const simd::Vector<Arch>& v) {
    Lanes<Arch> result;
    simd::store_unaligned<Arch>(result.data(), v);
    return result;
}

/// f on one float in all lanes; all lanes have to agree.
template <class Arch, class F>
float all_lanes(F&& f) {
    const Lanes<Arch> lane = lanes_of<Arch>(f());
    for (const float v : lane) CHECK(oracle::same_bits(v, lane[0]));
    return lane[0];
}

bool same(float a, float b) { return (std::isnan(a) && std::isnan(b)) || a == b; }

/// Whether the architecture has a fused multiply-add of vectors.
template <class Arch>
constexpr bool fuses() {
    if constexpr (std::is_same_v<Arch, simd::Scalar>) {
        return false;  // a plain float: as the compiler likes
    } else {
#if defined(__aarch64__)
        return true;
#elif defined(__FMA__)
        return simd::lanes<Arch> >= 8;
#else
        return false;
#endif
    }
}

}  // namespace

#if defined(__AVX512F__) && defined(__FMA__)
#define LUMBAR_TEST_ARCHITECTURES \
    simd::Native, simd::Scalar, xsimd::fma3<xsimd::avx2>, xsimd::sse4_2
#elif defined(__AVX2__)
#define LUMBAR_TEST_ARCHITECTURES simd::Native, simd::Scalar, xsimd::sse4_2
#else
#define LUMBAR_TEST_ARCHITECTURES simd::Native, simd::Scalar
#endif

TEST_CASE_TEMPLATE("a vector has a power of two of lanes and at least 16 registers", Arch,
                   LUMBAR_TEST_ARCHITECTURES) {
    constexpr int lanes = simd::lanes<Arch>;
    CHECK((lanes & (lanes - 1)) == 0);
    CHECK(sizeof(simd::Vector<Arch>) == sizeof(float) * static_cast<std::size_t>(lanes));
    CHECK(simd::registers<Arch> >= 16);
}

TEST_CASE_TEMPLATE("loads and stores move exactly the lanes that they name", Arch,
                   LUMBAR_TEST_ARCHITECTURES) {
    constexpr int L = simd::lanes<Arch>;
    alignas(64) std::array<float, 64> from;
    for (std::size_t i = 0; i < from.size(); ++i) from[i] = static_cast<float>(i + 1);
    alignas(64) std::array<float, 64> to{};
    simd::store<Arch>(to.data(), simd::load<Arch>(from.data()));
    for (int i = 0; i < 64; ++i) {
        CHECK(to[static_cast<std::size_t>(i)] == (i < L ? static_cast<float>(i + 1) : 0.0f));
    }
    simd::store_unaligned<Arch>(to.data() + 3, simd::load_unaligned<Arch>(from.data() + 5));
    for (int i = 0; i < L; ++i) {
        CHECK(to[static_cast<std::size_t>(i + 3)] == static_cast<float>(i + 6));
    }
    for (int count = 0; count <= L; ++count) {
        CAPTURE(count);
        // Exactly `count` floats on the heap: sanitizers see one more.
        std::vector<float> exact(from.begin(), from.begin() + count);
        const simd::Vector<Arch> v = simd::load_tail<Arch>(exact.data(), count);
        const Lanes<Arch> lane = lanes_of<Arch>(v);
        for (int i = 0; i < L; ++i) {
            CHECK(lane[static_cast<std::size_t>(i)] ==
                  (i < count ? static_cast<float>(i + 1) : 0.0f));
        }
        std::fill(exact.begin(), exact.end(), 0.0f);
        simd::store_tail<Arch>(exact.data(), v, count);
        CHECK(std::equal(exact.begin(), exact.end(), from.begin()));

        const Lanes<Arch> kept =
            lanes_of<Arch>(simd::keep_first<Arch>(simd::load<Arch>(from.data()), count));
        CHECK(kept == lane);
    }
}

TEST_CASE_TEMPLATE("fma rounds once where the architecture can", Arch, LUMBAR_TEST_ARCHITECTURES) {
    // (1 + 2^-12)^2 - (1 + 2^-11) is 2^-24 exactly; a rounded product loses it.
    volatile float root = 1 + 0x1p-12f, rest = -(1 + 0x1p-11f);
    const float got = all_lanes<Arch>([&] {
        const simd::Vector<Arch> x = simd::broadcast<Arch>(root);
        return simd::fma<Arch>(x, x, simd::broadcast<Arch>(rest));
    });
    if (fuses<Arch>()) {
        CHECK(got == 0x1p-24f);
    } else {
        CHECK((got == 0x1p-24f || got == 0.0f));
    }
    const float exact = all_lanes<Arch>([&] {
        return simd::fma<Arch>(simd::broadcast<Arch>(3), simd::broadcast<Arch>(5),
                               simd::broadcast<Arch>(-7));
    });
    CHECK(exact == 8);
}

TEST_CASE_TEMPLATE("clamp limits numbers and keeps NaN", Arch, LUMBAR_TEST_ARCHITECTURES) {
    const auto clamp = [](float x, float low, float high) {
        return all_lanes<Arch>([&] {
            return simd::clamp<Arch>(simd::broadcast<Arch>(x), simd::broadcast<Arch>(low),
                                     simd::broadcast<Arch>(high));
        });
    };
    CHECK(clamp(-1, 0, 6) == 0);
    CHECK(clamp(2.5f, 0, 6) == 2.5f);
    CHECK(clamp(7, 0, 6) == 6);
    CHECK(clamp(kInf, 0, 6) == 6);
    CHECK(clamp(-kInf, 0, 6) == 0);
    CHECK(clamp(kInf, 0, kInf) == kInf);
    CHECK(std::isnan(clamp(kNan, 0, 6)));
    CHECK(std::isnan(clamp(kNan, -kInf, kInf)));
}

TEST_CASE_TEMPLATE("selecting the greater or lesser falls back to the second for NaN", Arch,
                   LUMBAR_TEST_ARCHITECTURES) {
    const auto greater = [](float a, float b) {
        return all_lanes<Arch>([&] {
            return simd::greater_or_second<Arch>(simd::broadcast<Arch>(a),
                                                 simd::broadcast<Arch>(b));
        });
    };
    const auto less = [](float a, float b) {
        return all_lanes<Arch>([&] {
            return simd::less_or_second<Arch>(simd::broadcast<Arch>(a), simd::broadcast<Arch>(b));
        });
    };
    CHECK(greater(1, 2) == 2);
    CHECK(greater(2, 1) == 2);
    CHECK(less(1, 2) == 1);
    CHECK(less(2, 1) == 1);
    CHECK(greater(kNan, 1) == 1);
    CHECK(less(kNan, 1) == 1);
    CHECK(std::isnan(greater(1, kNan)));
    CHECK(std::isnan(less(1, kNan)));
}

TEST_CASE_TEMPLATE("the maximum of pooling is NaN where either is", Arch,
                   LUMBAR_TEST_ARCHITECTURES) {
    constexpr float kValues[] = {-kInf, -2, -0.0f, 0, 3, kInf, kNan};
    for (const float a : kValues)
        for (const float b : kValues) {
            CAPTURE(a);
            CAPTURE(b);
            const float want = std::isnan(a) || std::isnan(b) ? kNan : std::max(a, b);
            const float got = all_lanes<Arch>([&] {
                return simd::max_or_nan<Arch>(simd::broadcast<Arch>(a), simd::broadcast<Arch>(b));
            });
            CHECK(same(got, want));
        }
}

TEST_CASE_TEMPLATE("reduce_add adds all lanes", Arch, LUMBAR_TEST_ARCHITECTURES) {
    constexpr int L = simd::lanes<Arch>;
    alignas(64) Lanes<Arch> lane{};
    float want = 0;
    for (int i = 0; i < L; ++i) {
        lane[static_cast<std::size_t>(i)] = static_cast<float>(1 << i);
        want += static_cast<float>(1 << i);
    }
    CHECK(simd::reduce_add<Arch>(simd::load_unaligned<Arch>(lane.data())) == want);
}

TEST_CASE_TEMPLATE("exp is accurate to a few units in the last place", Arch,
                   LUMBAR_TEST_ARCHITECTURES) {
    double worst = 0;
    oracle::Random random(1);
    for (int i = 0; i < 4000; ++i) {
        const float x = random.real(-87, 88);
        const float got = lanes_of<Arch>(simd::exp<Arch>(simd::broadcast<Arch>(x)))[0];
        const double want = std::exp(static_cast<double>(x));
        worst = std::max(worst, std::abs(static_cast<double>(got) - want) / want);
    }
    CHECK(worst < 4 * oracle::kRounding);
    const auto exp = [](float x) {
        return all_lanes<Arch>([&] { return simd::exp<Arch>(simd::broadcast<Arch>(x)); });
    };
    CHECK(exp(0) == 1);
    CHECK(exp(-1000) == 0);
    CHECK(exp(-kInf) == 0);
    CHECK(exp(1000) == kInf);
    CHECK(exp(kInf) == kInf);
    CHECK(std::isnan(exp(kNan)));
}

TEST_CASE_TEMPLATE("pow is accurate for the bases and exponents of normalisation", Arch,
                   LUMBAR_TEST_ARCHITECTURES) {
    double worst = 0;
    oracle::Random random(2);
    for (int i = 0; i < 4000; ++i) {
        const float x = std::exp(random.real(-7, 12)), p = random.real(0.25f, 2);
        const float got =
            lanes_of<Arch>(simd::pow<Arch>(simd::broadcast<Arch>(x), simd::broadcast<Arch>(p)))[0];
        const double want = std::pow(static_cast<double>(x), static_cast<double>(p));
        worst = std::max(worst, std::abs(static_cast<double>(got) - want) / want);
    }
    CHECK(worst < 40 * oracle::kRounding);
}

}  // namespace simd_test
