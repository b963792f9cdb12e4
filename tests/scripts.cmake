# Tests that are scripts: tests/FOLDER/NAME_test.sh, run by sh, becomes the ctest FOLDER.NAME with
# the folder as its label. A script exits with 77 where it has nothing to do. It finds in its
# environment:
#   SOURCE_DIR  the repository          CXX, CXX_ID     the compiler and CMake's name for it
#   BUILD_DIR   the build folder        CXX_FLAGS       the flags of this configuration
#   SCRATCH     an empty folder         INCLUDES        -I and -isystem for the library
#   MEASURE     tests/build/measure.cpp, built, where the folder is build
include_guard()

string(TOUPPER "${CMAKE_BUILD_TYPE}" build_type)
set(flags "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${build_type}}")
set(includes "-I${PROJECT_SOURCE_DIR}/include")
foreach(target xsimd nlohmann_json::nlohmann_json)
    get_target_property(folders ${target} INTERFACE_INCLUDE_DIRECTORIES)
    foreach(folder IN LISTS folders)
        # /usr/include after the compiler's own folders, where it is anyway: in front of them it
        # breaks #include_next.
        if(folder AND NOT folder IN_LIST CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES)
            string(APPEND includes " -isystem ${folder}")
        endif()
    endforeach()
endforeach()

add_executable(lumbar_measure build/measure.cpp)
target_compile_features(lumbar_measure PRIVATE cxx_std_20)

# lumbar_add_script(NAME FOLDER SCRIPT ARGUMENT...)
function(lumbar_add_script name folder script)
    add_test(NAME ${name} COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/${script} ${ARGN})
    set_tests_properties(
        ${name} PROPERTIES
        LABELS ${folder} SKIP_RETURN_CODE 77 TIMEOUT 900
        ENVIRONMENT
        "SOURCE_DIR=${PROJECT_SOURCE_DIR};BUILD_DIR=${PROJECT_BINARY_DIR};SCRATCH=${PROJECT_BINARY_DIR}/scratch/${name};CXX=${CMAKE_CXX_COMPILER};CXX_ID=${CMAKE_CXX_COMPILER_ID};CXX_FLAGS=${flags};INCLUDES=${includes};MEASURE=$<TARGET_FILE:lumbar_measure>")
endfunction()

file(GLOB_RECURSE scripts CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} *_test.sh)
foreach(script IN LISTS scripts)
    string(REGEX REPLACE "/.*" "" folder "${script}")
    if(LUMBAR_TEST_FOLDERS AND NOT folder IN_LIST LUMBAR_TEST_FOLDERS)
        continue()
    endif()
    cmake_path(GET script STEM name)
    string(REGEX REPLACE "_test$" "" name "${folder}.${name}")
    lumbar_add_script(${name} ${folder} ${script})
endforeach()

# ---------------------------------------------------------------- users' compilers and flags
if(NOT LUMBAR_TEST_FOLDERS OR "build" IN_LIST LUMBAR_TEST_FOLDERS)
    foreach(compiler g++ clang++ newest_clang++ libc++)
        lumbar_add_script(build.compiler.${compiler} build build/compiler.sh ${compiler})
    endforeach()
endif()

# ---------------------------------------------------------------- consumers
# tests/build/consumer is an application; each ctest brings Lumbar to it another way.
if(NOT LUMBAR_TEST_FOLDERS OR "build" IN_LIST LUMBAR_TEST_FOLDERS)
    get_target_property(xsimd_include xsimd INTERFACE_INCLUDE_DIRECTORIES)
    get_target_property(json_include nlohmann_json::nlohmann_json INTERFACE_INCLUDE_DIRECTORIES)
    get_target_property(doctest_include doctest::doctest INTERFACE_INCLUDE_DIRECTORIES)
    get_target_property(eigen_include Eigen3::Eigen INTERFACE_INCLUDE_DIRECTORIES)
    lumbar_require(CLI11)
    get_target_property(cli11_include CLI11::CLI11 INTERFACE_INCLUDE_DIRECTORIES)
    foreach(way add_subdirectory find_package fetch_content pkg_config include_folder single_header)
        add_test(
            NAME build.consumer.${way}
            COMMAND
                ${CMAKE_COMMAND} -D way=${way} -D source=${PROJECT_SOURCE_DIR}
                -D scratch=${PROJECT_BINARY_DIR}/scratch/build.consumer.${way}
                -D compiler=${CMAKE_CXX_COMPILER} -D generator=${CMAKE_GENERATOR}
                -D xsimd=${xsimd_include} -D nlohmann_json=${json_include}
                -D doctest=${doctest_include} -D eigen3=${eigen_include}
                -D cli11=${cli11_include}
                -D stb=${LUMBAR_STB_INCLUDE_DIR} "-D implicit=${CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES}"
                -P ${CMAKE_CURRENT_SOURCE_DIR}/build/consumer.cmake)
        set_tests_properties(build.consumer.${way} PROPERTIES LABELS build TIMEOUT 900
                             SKIP_REGULAR_EXPRESSION "^skipped: ")
    endforeach()
endif()
