// What a strided pointwise convolution reads.
#include <oracle/guarded.hpp>
#include <oracle/oracle.hpp>

#include <lumbar/layers/gathered.hpp>

#include <doctest/doctest.h>

#include <vector>

namespace gathered_test {

using namespace lumbar;
using oracle::Guarded;

TEST_CASE("every s-th pixel of every s-th row is copied, and nothing beside the copy is touched") {
    for (const Extent stride : {Extent{2, 2}, Extent{1, 2}, Extent{3, 1}, Extent{4, 3}}) {
        for (const Shape shape :
             {Shape{1, 3, 1, 1}, Shape{1, 8, 5, 7}, Shape{2, 21, 8, 6}, Shape{3, 16, 4, 13}}) {
            CAPTURE(stride.h);
            CAPTURE(stride.w);
            CAPTURE(to_string(shape));
            Guarded from(shape, 8, {.border = {1, 2, 0, 3}, .extra_columns = 1});
            const Tensor x = oracle::random_tensor(shape, 5);
            from.fill(x, 7.0f);
            const Extent size{ceil_div(shape.h, stride.h), ceil_div(shape.w, stride.w)};

            const BlockedLayout layout = gathered_layout(from.view(), size);
            const std::size_t floats = static_cast<std::size_t>(layout.size());
            std::vector<float> memory(floats + 2, -9.0f);
            const BlockedView to = layout.view(memory.data() + 1);
            CHECK(to.dense());
            CHECK(floats ==
                  static_cast<std::size_t>(shape.n * to.groups() * size.h * size.w * to.lanes));

            const int planes = shape.n * to.groups();
            gather_planes(from.view(), stride, to, planes / 2, planes);  // by two threads
            gather_planes(from.view(), stride, to, 0, planes / 2);
            int wrong = 0;
            for (int n = 0; n < shape.n; ++n)
                for (int c = 0; c < to.groups() * to.lanes; ++c)
                    for (int y = 0; y < size.h; ++y)
                        for (int px = 0; px < size.w; ++px)
                            wrong += to.at(n, c, y, px) !=
                                     from.view().at(n, c, y * stride.h, px * stride.w);
            CHECK(wrong == 0);
            CHECK(memory.front() == -9.0f);
            CHECK(memory.back() == -9.0f);
        }
    }
}

}  // namespace gathered_test
