// stb_image, kept to ourselves. Its implementation is compiled into each file that includes this
// one, static and inside our namespace, with its macros put back afterwards: an application may
// use stb_image too, of any version and however configured, before or after us in the same file or
// in another one. Only JPEG, PNG and BMP are compiled in: the other formats are where its holes
// have been.
#pragma once

// stb's warnings are not the application's business.
#if defined(__GNUC__) || defined(__clang__)
#pragma GCC system_header
#endif

#include <lumbar/config/config.hpp>

// What stb_image includes, so that nothing of it is declared inside our namespace.
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#if defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>
#endif
#if defined(__ARM_NEON)
#include <arm_neon.h>
#endif
#if defined(_MSC_VER)
#include <intrin.h>
#endif

LUMBAR_NAMESPACE_BEGIN
namespace detail {

/// The largest block that stb may ask for while this thread decodes one picture: a small file can
/// inflate to any size, and its header does not say so.
inline size_t& stb_block_limit() {
    thread_local size_t limit = 0;
    return limit;
}
/// Zeroed, so that no decoder's gap shows what was in memory before.
inline void* stb_allocate(size_t bytes) {
    return bytes > stb_block_limit() ? nullptr : calloc(bytes == 0 ? 1 : bytes, 1);
}
inline void* stb_reallocate(void* block, size_t bytes) {
    return bytes > stb_block_limit() ? nullptr : realloc(block, bytes == 0 ? 1 : bytes);
}

#include <lumbar/image/stb_begin.inc>

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP
#define STBI_MAX_DIMENSIONS 65535
#define STBI_ASSERT(condition) (static_cast<void>(0))
#define STBI_MALLOC(bytes) stb_allocate(bytes)
#define STBI_REALLOC(block, bytes) stb_reallocate(block, bytes)
#define STBI_FREE(block) free(block)
#if defined(__ARM_NEON)
#define STBI_NEON
#endif

#if defined(__GNUC__) && !defined(__clang__)
// g++ 12 at -O3 inlines the callbacks that pictures in memory have not, and misses their data; in
// spite of the pragma above.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#if __has_include(<stb_image.h>)
#include <stb_image.h>
#elif __has_include(<stb/stb_image.h>)
#include <stb/stb_image.h>
#else
#error "lumbar/image.hpp needs stb_image.h (libstb-dev, or https://github.com/nothings/stb)"
#endif
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

struct StbInfo {
    int width = 0;
    int height = 0;
    int channels = 0;
};

/// What the header promises. False where stb cannot read it.
inline bool stb_info(const unsigned char* bytes, int size, StbInfo& info) {
    stb_block_limit() = size_t{1} << 20;  // the decoder's state, nothing of the picture
    return stbi_info_from_memory(bytes, size, &info.width, &info.height, &info.channels) != 0;
}

/// The decoded pixels in 1 or 3 channels, to be freed with free(); null on failure.
inline unsigned char* stb_decode(const unsigned char* bytes, int size, int channels,
                                 size_t block_limit, StbInfo& info) {
    stb_block_limit() = block_limit;
    return stbi_load_from_memory(bytes, size, &info.width, &info.height, &info.channels, channels);
}

/// Why the last call on this thread failed, in stb's words.
inline const char* stb_failure() {
    const char* reason = stbi_failure_reason();
    if (!reason) return "unknown reason";
    // A decoder's word for both: there is none left, or more is asked for than stb_decode allows.
    if (strcmp(reason, "outofmem") == 0)
        return "it takes more memory to decode than there is, or than a picture of its size needs";
    return reason;
}

#include <lumbar/image/stb_end.inc>

}  // namespace detail
LUMBAR_NAMESPACE_END
