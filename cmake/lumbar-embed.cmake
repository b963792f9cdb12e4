# lumbar_embed_weights(TARGET FILE [NAME NAME]): puts a file of weights (or any other file) into a
# program or library, which then needs no file. Used by the build and, installed, by
# find_package(lumbar). In the target's sources:
#
#     #include <embedded/NAME.hpp>
#     auto weights = lumbar::load_weights(embedded::NAME(), "NAME");   // without a copy
#
# NAME: unless given, that of FILE without its (last) extension, as an identifier: dots and hyphens
# become underscores. FILE may be one that
# the build makes; the target is built again where it changes. For g++ and clang on systems with
# ELF files.
function(lumbar_embed_weights target file)
    cmake_parse_arguments(PARSE_ARGV 2 embed "" NAME "")
    cmake_path(ABSOLUTE_PATH file BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} NORMALIZE)
    set(name "${embed_NAME}")
    if(NOT name)
        cmake_path(GET file STEM LAST_ONLY name)
    endif()
    string(MAKE_C_IDENTIFIER "${name}" name)
    if(embed_UNPARSED_ARGUMENTS OR "${file}" MATCHES "[\"\\]")
        message(FATAL_ERROR "usage: lumbar_embed_weights(TARGET FILE [NAME NAME]), FILE without "
                            "quotes and backslashes")
    endif()
    get_target_property(names ${target} LUMBAR_EMBEDDED)
    if(name IN_LIST names)
        message(FATAL_ERROR "lumbar_embed_weights: ${target} has a '${name}' already; give this one "
                            "another name: lumbar_embed_weights(${target} ${file} NAME ...)")
    endif()
    set_property(TARGET ${target} APPEND PROPERTY LUMBAR_EMBEDDED ${name})
    message(STATUS "${target}: ${file} is #include <embedded/${name}.hpp>, embedded::${name}()")
    set(folder ${CMAKE_CURRENT_BINARY_DIR}/lumbar_embedded/${target})
    file(CONFIGURE @ONLY OUTPUT ${folder}/embedded/${name}.hpp CONTENT [[
// Made by lumbar_embed_weights.
#pragma once

#include <cstddef>
#include <span>

namespace embedded {
/// The bytes of @name@, aligned to 64; they live as long as the program.
std::span<const std::byte> @name@();
}
]])
    file(CONFIGURE @ONLY OUTPUT ${folder}/${name}.cpp CONTENT [[
// Made by lumbar_embed_weights.
#include "embedded/@name@.hpp"

asm(R"(
    .section .rodata.lumbar_embedded_@name@,"a"
    .balign 64
    .global lumbar_embedded_@name@, lumbar_embedded_@name@_end
    .hidden lumbar_embedded_@name@, lumbar_embedded_@name@_end
lumbar_embedded_@name@:
    .incbin "@file@"
lumbar_embedded_@name@_end:
    .byte 0
    .previous
)");

extern "C" {
__attribute__((visibility("hidden"))) extern const std::byte lumbar_embedded_@name@[];
__attribute__((visibility("hidden"))) extern const std::byte lumbar_embedded_@name@_end[];
}

std::span<const std::byte> embedded::@name@() {
    return {lumbar_embedded_@name@, lumbar_embedded_@name@_end};
}
]])
    set_source_files_properties(
        ${folder}/${name}.cpp TARGET_DIRECTORY ${target}
        PROPERTIES OBJECT_DEPENDS ${file} COMPILE_OPTIONS -fno-lto)
    target_sources(${target} PRIVATE ${folder}/${name}.cpp)
    target_include_directories(${target} PRIVATE ${folder})
    target_compile_features(${target} PRIVATE cxx_std_20)
endfunction()
