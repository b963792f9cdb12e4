#include <lumbar/core/memory.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace memory_test {

namespace {

using lumbar::AlignedBuffer;

static_assert(!std::is_copy_constructible_v<AlignedBuffer>);
static_assert(!std::is_copy_assignable_v<AlignedBuffer>);
static_assert(std::is_nothrow_move_constructible_v<AlignedBuffer>);
static_assert(std::is_nothrow_move_assignable_v<AlignedBuffer>);

bool aligned(const void* pointer) {
    return reinterpret_cast<std::uintptr_t>(pointer) % lumbar::kAlignment == 0;
}

AlignedBuffer holding(std::size_t floats, float value) {
    AlignedBuffer buffer(floats);
    std::fill_n(buffer.data(), floats, value);
    return buffer;
}

}  // namespace

TEST_CASE("a buffer is aligned and starts as zeros") {
    constexpr std::size_t sizes[] = {1, 2, 15, 16, 17, 1000, std::size_t{3} << 20};
    for (std::size_t floats : sizes) {
        CAPTURE(floats);
        AlignedBuffer buffer(floats);
        CHECK(buffer.size() == floats);
        CHECK(aligned(buffer.data()));
        CHECK(std::all_of(buffer.data(), buffer.data() + floats, [](float x) { return x == 0; }));
        std::fill_n(buffer.data(), floats, 1.0f);  // the sanitizers watch the ends

        AlignedBuffer large(floats, lumbar::Pages::large);
        CHECK(aligned(large.data()));
        CHECK(std::all_of(large.data(), large.data() + floats, [](float x) { return x == 0; }));
        std::fill_n(large.data(), floats, 1.0f);
    }
}

TEST_CASE("a buffer of nothing owns nothing") {
    CHECK(AlignedBuffer().data() == nullptr);
    CHECK(AlignedBuffer().size() == 0);
    CHECK(AlignedBuffer(0).data() == nullptr);
    CHECK(AlignedBuffer(0).size() == 0);
}

TEST_CASE("moving hands the memory on and leaves an empty buffer") {
    AlignedBuffer from = holding(20, 7);
    const float* memory = from.data();
    AlignedBuffer to(std::move(from));
    CHECK(to.data() == memory);
    CHECK(to.size() == 20);
    CHECK(to.data()[19] == 7);
    CHECK(from.data() == nullptr);
    CHECK(from.size() == 0);
}

TEST_CASE("move assignment replaces, and frees what was there in the end") {
    AlignedBuffer a = holding(20, 1);
    AlignedBuffer b = holding(30, 2);
    const float* memory = b.data();
    a = std::move(b);
    CHECK(a.data() == memory);
    CHECK(a.size() == 30);
    CHECK(a.data()[29] == 2);

    a = AlignedBuffer();
    CHECK(a.size() == 0);
}

TEST_CASE("a buffer survives being moved to itself") {
    AlignedBuffer buffer = holding(20, 3);
    AlignedBuffer& same = buffer;
    buffer = std::move(same);
    CHECK(buffer.size() == 20);
    CHECK(buffer.data()[0] == 3);
}

}  // namespace memory_test
