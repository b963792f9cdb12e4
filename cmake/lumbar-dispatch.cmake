# lumbar_add_dispatch(TARGET [ARCHS sse42 avx2 avx512]): one program for every x86-64, which runs on
# the best of these instruction sets that its CPU has, or on SSE2. Used by the build and, installed,
# by find_package(lumbar).
#
# The kernels are compiled once for each, optimised whatever the build type; the target itself must
# have no -m flags. Elsewhere than on x86-64 it does nothing.
function(lumbar_add_dispatch target)
    cmake_parse_arguments(PARSE_ARGV 1 dispatch "" "" ARCHS)
    set(flags_of_sse2 "")
    set(flags_of_sse42 -msse4.2)
    set(flags_of_avx2 -mavx2 -mfma)
    set(flags_of_avx512 -mavx512f -mavx512cd -mavx512dq -mavx512bw -mfma)
    set(features_of_sse42 sse4.2)
    set(features_of_avx2 avx2 fma)
    set(features_of_avx512 avx512f avx512cd avx512dq avx512bw fma)
    if(NOT dispatch_ARCHS)
        set(dispatch_ARCHS sse42 avx2 avx512)
    endif()
    foreach(arch IN LISTS dispatch_ARCHS)
        if(NOT DEFINED features_of_${arch} OR dispatch_UNPARSED_ARGUMENTS)
            message(FATAL_ERROR "usage: lumbar_add_dispatch(TARGET [ARCHS sse42 avx2 avx512])")
        endif()
    endforeach()
    if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
        return()
    endif()

    set(folder ${CMAKE_CURRENT_BINARY_DIR}/lumbar_dispatch/${target})
    set(declarations "")
    set(choices "")
    foreach(arch IN ITEMS avx512 avx2 sse42 sse2) # the best first; SSE2 is everywhere
        if(NOT arch IN_LIST dispatch_ARCHS AND NOT arch STREQUAL "sse2")
            continue()
        endif()
        string(APPEND declarations "extern const KernelTable kernels_${arch};\n")
        list(TRANSFORM features_of_${arch} REPLACE "(.+)" "__builtin_cpu_supports(\"\\1\")"
             OUTPUT_VARIABLE condition)
        list(JOIN condition " && " condition)
        if(condition)
            string(APPEND choices "    if (${condition}) return kernels_${arch};\n")
        endif()
        file(CONFIGURE @ONLY OUTPUT ${folder}/kernels_${arch}.cpp CONTENT [[
// Made by lumbar_add_dispatch.
#define LUMBAR_DISPATCH_KERNELS
#include <lumbar/kernels/table.hpp>

LUMBAR_NAMESPACE_BEGIN
extern const KernelTable kernels_@arch@;
constinit const KernelTable kernels_@arch@ = make_kernel_table<simd::Native>();
LUMBAR_NAMESPACE_END
]])
        set_source_files_properties(
            ${folder}/kernels_${arch}.cpp TARGET_DIRECTORY ${target}
            PROPERTIES COMPILE_OPTIONS "${flags_of_${arch}};-O2;-fno-lto")
        target_sources(${target} PRIVATE ${folder}/kernels_${arch}.cpp)
    endforeach()
    file(CONFIGURE @ONLY OUTPUT ${folder}/dispatch.cpp CONTENT [[
// Made by lumbar_add_dispatch.
#include <lumbar/kernels/table.hpp>

LUMBAR_NAMESPACE_BEGIN
@declarations@
const KernelTable& native_kernels() {
    __builtin_cpu_init();
@choices@    return kernels_sse2;
}
LUMBAR_NAMESPACE_END
]])
    target_sources(${target} PRIVATE ${folder}/dispatch.cpp)
    target_compile_definitions(${target} PRIVATE LUMBAR_DISPATCH)
endfunction()
