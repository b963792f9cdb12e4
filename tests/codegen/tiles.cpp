// The tiles whose assembly hot_loops_test.sh looks at: the widest of each table, which leave no
// register to waste.
#include <lumbar/kernels/bfloat16_table.hpp>
#include <lumbar/kernels/conv_tile.hpp>
#include <lumbar/kernels/depthwise_tile.hpp>

LUMBAR_NAMESPACE_BEGIN

using Arch = simd::Native;

#define CONV_TILE(PIXELS, GROUPS)                                                        \
    template void conv_tile<Arch, PIXELS, GROUPS>(const ConvTile&, const float*, float*, \
                                                  const float*, int)
#define DEPTHWISE_TILE(KERNEL, PIXELS)                                                             \
    template void depthwise_tile<Arch, KERNEL, PIXELS>(const DepthwiseTile&, const float*, float*, \
                                                       int, int)
#define DEPTHWISE_PAIR(KERNEL, PIXELS)                                                             \
    template void depthwise_pair<Arch, KERNEL, PIXELS>(const DepthwiseTile&, const float*, float*, \
                                                       int, int)
#define BFLOAT16_TILE(PIXELS, GROUPS)                                                         \
    template void conv_tile<Arch, PIXELS, GROUPS, PairProduct>(const ConvTile&, const float*, \
                                                               float*, const float*, int)

#if defined(__AVX512BF16__)
BFLOAT16_TILE(14, 2);
BFLOAT16_TILE(9, 3);
BFLOAT16_TILE(6, 4);
BFLOAT16_TILE(7, 2);
#endif
#if defined(__AVX512F__)
DEPTHWISE_PAIR(3, 7);
DEPTHWISE_PAIR(5, 7);
CONV_TILE(6, 4);
CONV_TILE(9, 3);
CONV_TILE(14, 2);
CONV_TILE(12, 2);
CONV_TILE(7, 2);
CONV_TILE(14, 1);
#else
DEPTHWISE_PAIR(3, 4);
CONV_TILE(6, 2);
CONV_TILE(4, 3);
CONV_TILE(8, 1);
#endif
DEPTHWISE_TILE(3, 8);
DEPTHWISE_TILE(5, 8);
DEPTHWISE_TILE(0, 8);

LUMBAR_NAMESPACE_END
