// Linked into every test program: whatever these headers define is then defined in two translation
// units, and a missing `inline` is a link error. The second round checks the include guards.
// (clang-format would drop that round.)
// clang-format off
#if __has_include(<lumbar/lumbar.hpp>)
#include <lumbar/lumbar.hpp>
#include <lumbar/lumbar.hpp>
#endif

#if defined(LUMBAR_TEST_IMAGE) && __has_include(<lumbar/image.hpp>)
#include <lumbar/image.hpp>
#include <lumbar/image.hpp>
#endif

#if __has_include(<lumbar/eigen.hpp>)
#include <lumbar/eigen.hpp>
#include <lumbar/eigen.hpp>
#endif
