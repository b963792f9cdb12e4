# Cross-compiles for WebAssembly with vectors of 128 bits, by Debian's emscripten (3.1.6), and runs
# tests under node. XSIMD_HEADERS: a folder with xsimd/, of a release that knows them (Debian's 8.1
# does not). Emscripten's optimiser needs node's package acorn: NODE_PATH=/usr/share/nodejs.
include(/usr/share/emscripten/cmake/Modules/Platform/Emscripten.cmake)
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES XSIMD_HEADERS)
set(packages ${CMAKE_BINARY_DIR}/packages)

# Of the machine's own libraries the headers alone, not beside those of its C library.
get_property(trying GLOBAL PROPERTY IN_TRY_COMPILE)
if(NOT trying)
    foreach(headers doctest nlohmann stb eigen3)
        file(COPY /usr/include/${headers} DESTINATION ${packages}/include)
    endforeach()
    file(COPY ${XSIMD_HEADERS}/xsimd DESTINATION ${packages}/include)
    # Its libc++ 13 lacks one function of C++20's.
    file(WRITE ${packages}/bit_cast.hpp [[
#pragma once
#if __cplusplus > 201703L
#include <version>
namespace std {
template <class To, class From>
constexpr To bit_cast(const From& from) noexcept {
    return __builtin_bit_cast(To, from);
}
}
#endif
]])
    set(LUMBAR_USE_SYSTEM_DEPENDENCIES OFF CACHE BOOL "")
    foreach(name XSIMD NLOHMANN_JSON)
        set(FETCHCONTENT_SOURCE_DIR_${name} ${packages} CACHE PATH "")
    endforeach()
    set(FETCHCONTENT_SOURCE_DIR_DOCTEST ${packages}/include CACHE PATH "")
    set(FETCHCONTENT_SOURCE_DIR_EIGEN3 ${packages}/include/eigen3 CACHE PATH "")
    set(FETCHCONTENT_SOURCE_DIR_STB ${packages}/include/stb CACHE PATH "")
    set(CMAKE_CXX_FLAGS_INIT "-msimd128 -fexceptions -include ${packages}/bit_cast.hpp")
endif()
set(CMAKE_EXE_LINKER_FLAGS_INIT
    "-fexceptions -s ALLOW_MEMORY_GROWTH=1 -s NODERAWFS=1 -s EXIT_RUNTIME=1")
# Without the option newer nodes make it fetch its own file as a page would.
set(CMAKE_CROSSCOMPILING_EMULATOR "node;--no-experimental-fetch")
