# Where dependencies come from: the installed package, else a pinned release through FetchContent.
#
# A build without a network points FETCHCONTENT_SOURCE_DIR_<NAME> at unpacked sources, NAME being
# XSIMD, NLOHMANN_JSON, STB, DOCTEST, EIGEN3, CLI11 or BENCHMARK. Nothing is looked up before
# lumbar_require() asks for it.
include_guard(GLOBAL)
include(FetchContent)

option(LUMBAR_USE_SYSTEM_DEPENDENCIES "Prefer installed packages to fetched ones" ON)

# ---------------------------------------------------------------- the pinned releases
# What find_package calls it; the oldest version that works; the target; the include folder inside
# the sources (none: the sources are a CMake project of their own); the archive and its SHA-256.
set(lumbar_xsimd_minimum 8.1)
set(lumbar_xsimd_target xsimd)
set(lumbar_xsimd_include include)
set(lumbar_xsimd_url https://github.com/xtensor-stack/xsimd/archive/refs/tags/13.0.0.tar.gz)
set(lumbar_xsimd_sha256 8bdbbad0c3e7afa38d88d0d484d70a1671a1d8aefff03f4223ab2eb6a41110a3)

set(lumbar_nlohmann_json_minimum 3.9)
set(lumbar_nlohmann_json_target nlohmann_json::nlohmann_json)
set(lumbar_nlohmann_json_include include)
set(lumbar_nlohmann_json_url
    https://github.com/nlohmann/json/releases/download/v3.11.3/json.tar.xz)
set(lumbar_nlohmann_json_sha256 d6c65aca6b1ed68e7a182f4757257b107ae403032760ed6ef121c9d55e81757d)

set(lumbar_doctest_minimum 2.4)
set(lumbar_doctest_target doctest::doctest)
set(lumbar_doctest_include .)
set(lumbar_doctest_url https://github.com/doctest/doctest/archive/refs/tags/v2.4.11.tar.gz)
set(lumbar_doctest_sha256 632ed2c05a7f53fa961381497bf8069093f0d6628c5f26286161fbd32a560186)

set(lumbar_Eigen3_minimum 3.3)
set(lumbar_Eigen3_target Eigen3::Eigen)
set(lumbar_Eigen3_include .)
set(lumbar_Eigen3_url https://gitlab.com/libeigen/eigen/-/archive/3.4.0/eigen-3.4.0.tar.gz)
set(lumbar_Eigen3_sha256 8586084f71f9bde545ee7fa6d00288b264a2b7ac3607b974e54d13e7162c1c72)

set(lumbar_CLI11_minimum 2.1)
set(lumbar_CLI11_target CLI11::CLI11)
set(lumbar_CLI11_include include)
set(lumbar_CLI11_url https://github.com/CLIUtils/CLI11/archive/refs/tags/v2.4.2.tar.gz)
set(lumbar_CLI11_sha256 f2d893a65c3b1324c50d4e682c0cdc021dd0477ae2c048544f39eed6654b699a)

set(lumbar_benchmark_minimum 1.6)
set(lumbar_benchmark_target benchmark::benchmark)
set(lumbar_benchmark_include "")
set(lumbar_benchmark_url https://github.com/google/benchmark/archive/refs/tags/v1.8.3.tar.gz)
set(lumbar_benchmark_sha256 6bc180a57d23d4d9515519f92b0c83d61b05b5bab188961f36ac7b06b0d9e9ce)

# stb has no releases, no CMake package and no CMakeLists.txt: a commit, and lumbar_find_stb().
set(lumbar_stb_commit 5736b15f7ea0ffb08dd38af21067c314d6a3aae9)
set(lumbar_stb_url https://github.com/nothings/stb/archive/${lumbar_stb_commit}.tar.gz)
set(lumbar_stb_sha256 d00921d49b06af62aa6bfb97c1b136bec661dd11dd4eecbcb0da1f6da7cedb4c)

# ---------------------------------------------------------------- looking and fetching
# Makes ${lumbar_<name>_target} exist, whatever it takes.
function(lumbar_require name)
    set(target ${lumbar_${name}_target})
    if(TARGET ${target})
        return() # an application that embeds Lumbar brought it along
    endif()
    if(LUMBAR_USE_SYSTEM_DEPENDENCIES)
        # Without a version: packages that promise compatibility within one major version refuse
        # every newer one.
        find_package(${name} CONFIG QUIET GLOBAL)
        if(${name}_FOUND)
            if(DEFINED ${name}_VERSION AND ${name}_VERSION VERSION_LESS lumbar_${name}_minimum)
                message(FATAL_ERROR
                    "${name} ${${name}_VERSION} is installed, and Lumbar needs "
                    "${lumbar_${name}_minimum} or newer. Configure with "
                    "-DLUMBAR_USE_SYSTEM_DEPENDENCIES=OFF to fetch one.")
            endif()
            return()
        endif()
    endif()
    lumbar_fetch(${name})
endfunction()

function(lumbar_fetch name)
    message(STATUS "${name}: fetching ${lumbar_${name}_url}")
    set(FETCHCONTENT_QUIET ON)
    if(NOT lumbar_${name}_include STREQUAL "")
        # A folder of headers: its own CMakeLists.txt, with its options and install rules, stays
        # unused. IMPORTED makes the include folder a system one, without warnings.
        FetchContent_Declare(
            ${name} URL ${lumbar_${name}_url} URL_HASH SHA256=${lumbar_${name}_sha256}
            DOWNLOAD_EXTRACT_TIMESTAMP OFF SOURCE_SUBDIR lumbar-uses-the-headers-only)
        FetchContent_MakeAvailable(${name})
        FetchContent_GetProperties(${name} SOURCE_DIR source)
        if(NOT TARGET ${lumbar_${name}_target})
            add_library(${lumbar_${name}_target} INTERFACE IMPORTED GLOBAL)
            target_include_directories(${lumbar_${name}_target}
                                       INTERFACE ${source}/${lumbar_${name}_include})
        endif()
    else()
        set(BENCHMARK_ENABLE_TESTING OFF CACHE BOOL "" FORCE)
        set(BENCHMARK_ENABLE_INSTALL OFF CACHE BOOL "" FORCE)
        set(BENCHMARK_ENABLE_WERROR OFF CACHE BOOL "" FORCE)
        FetchContent_Declare(
            ${name} URL ${lumbar_${name}_url} URL_HASH SHA256=${lumbar_${name}_sha256}
            DOWNLOAD_EXTRACT_TIMESTAMP OFF SYSTEM)
        FetchContent_MakeAvailable(${name})
    endif()
endfunction()

# Sets LUMBAR_STB_INCLUDE_DIR, the folder of stb_image.h; left unset where it is neither installed
# nor wanted enough to be fetched.
function(lumbar_find_stb)
    if(LUMBAR_USE_SYSTEM_DEPENDENCIES)
        find_path(LUMBAR_STB_INCLUDE_DIR stb_image.h PATH_SUFFIXES stb)
    endif()
    if(NOT LUMBAR_STB_INCLUDE_DIR AND LUMBAR_FETCH_STB)
        message(STATUS "stb: fetching ${lumbar_stb_url}")
        FetchContent_Declare(stb URL ${lumbar_stb_url} URL_HASH SHA256=${lumbar_stb_sha256}
                             DOWNLOAD_EXTRACT_TIMESTAMP OFF)
        FetchContent_MakeAvailable(stb)
        FetchContent_GetProperties(stb SOURCE_DIR source)
        set(LUMBAR_STB_INCLUDE_DIR ${source} CACHE PATH "The folder of stb_image.h" FORCE)
    endif()
endfunction()
