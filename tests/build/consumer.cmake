# cmake -P: builds and runs tests/build/consumer with Lumbar from `way`: add_subdirectory,
# find_package (after an install), or fetch_content (every dependency through the fallback); and
# with a bare compiler line from pkg_config (after an install), include_folder (a copy), or
# single_header (from an install).
cmake_minimum_required(VERSION 3.25)
function(run)
    execute_process(COMMAND ${ARGV} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

unset(ENV{CXXFLAGS}) # of the build that this test belongs to
file(REMOVE_RECURSE ${scratch})
file(MAKE_DIRECTORY ${scratch})
set(common -G ${generator} -D CMAKE_CXX_COMPILER=${compiler})
set(weights ${scratch}/weights.safetensors)
file(COPY_FILE ${source}/examples/fashion_mnist/fashion_mnist.safetensors ${weights})
set(options -D way=${way} -D lumbar_source=${source} -D weights=${weights})

# Where the libraries that Lumbar includes lie, for a compiler line.
set(dependencies "")
foreach(folder IN LISTS xsimd nlohmann_json stb)
    if(NOT folder IN_LIST implicit)
        list(APPEND dependencies -isystem ${folder})
    endif()
endforeach()
function(compile_and_run)
    set(consumer ${source}/tests/build/consumer)
    run(${compiler} -std=c++20 ${consumer}/main.cpp ${consumer}/other.cpp ${ARGV}
        -o ${scratch}/consumer)
    run(${scratch}/consumer)
endfunction()

if(way MATCHES "find_package|pkg_config|single_header")
    run(${CMAKE_COMMAND} ${common} -S ${source} -B ${scratch}/lumbar
        -D LUMBAR_BUILD_TESTS=OFF -D LUMBAR_BUILD_EXAMPLES=OFF -D LUMBAR_BUILD_BENCHMARKS=OFF)
    run(${CMAKE_COMMAND} --install ${scratch}/lumbar --prefix ${scratch}/installed)
    list(APPEND options -D CMAKE_PREFIX_PATH=${scratch}/installed)
endif()

if(way STREQUAL "pkg_config")
    find_program(PKG_CONFIG pkg-config)
    if(NOT PKG_CONFIG)
        message("skipped: no pkg-config")
        return()
    endif()
    set(ENV{PKG_CONFIG_PATH} ${scratch}/installed/share/pkgconfig)
    execute_process(COMMAND ${PKG_CONFIG} --cflags --libs lumbar OUTPUT_VARIABLE line
                    COMMAND_ERROR_IS_FATAL ANY)
    separate_arguments(line UNIX_COMMAND ${line})
    compile_and_run(${line} -isystem ${stb})
    return()
elseif(way STREQUAL "single_header")
    compile_and_run(-D SINGLE_HEADER -I ${scratch}/installed/share/lumbar/single_include
                    ${dependencies} -pthread)
    return()
elseif(way STREQUAL "include_folder")
    file(COPY ${source}/include/lumbar DESTINATION ${scratch}/copied)
    compile_and_run(-I ${scratch}/copied ${dependencies} -pthread)
    return()
elseif(way STREQUAL "fetch_content")
    # No network: folders that look like the unpacked archives, made of the headers that this build
    # uses, stand where the downloads would.
    set(fetched ${scratch}/fetched)
    function(link from to)
        cmake_path(GET to PARENT_PATH parent)
        file(MAKE_DIRECTORY ${parent})
        file(CREATE_LINK ${from} ${to} SYMBOLIC)
    endfunction()
    link(${xsimd}/xsimd ${fetched}/xsimd/include/xsimd)
    link(${nlohmann_json}/nlohmann ${fetched}/nlohmann_json/include/nlohmann)
    link(${stb}/stb_image.h ${fetched}/stb/stb_image.h)
    link(${stb}/stb_image_write.h ${fetched}/stb/stb_image_write.h)
    link(${doctest}/doctest ${fetched}/doctest/doctest)
    link(${eigen3}/Eigen ${fetched}/eigen3/Eigen)
    link(${cli11}/CLI ${fetched}/cli11/include/CLI)
    set(sources -D LUMBAR_USE_SYSTEM_DEPENDENCIES=OFF -D LUMBAR_FETCH_STB=ON)
    foreach(name xsimd nlohmann_json stb doctest eigen3 cli11)
        string(TOUPPER ${name} upper)
        list(APPEND sources -D FETCHCONTENT_SOURCE_DIR_${upper}=${fetched}/${name})
    endforeach()
    list(APPEND options ${sources} -D expected_root=${fetched})
    # The same for the project itself, whose tests need more of them.
    run(${CMAKE_COMMAND} ${common} ${sources} -S ${source} -B ${scratch}/lumbar
        -D LUMBAR_BUILD_EXAMPLES=OFF -D LUMBAR_BUILD_BENCHMARKS=OFF)
endif()

run(${CMAKE_COMMAND} ${common} ${options} -S ${source}/tests/build/consumer -B ${scratch}/build)
run(${CMAKE_COMMAND} --build ${scratch}/build)
run(${scratch}/build/consumer)

# The program is built again where the file inside it changes: with a broken one it fails.
if(way STREQUAL "find_package")
    file(WRITE ${weights} "broken")
    run(${CMAKE_COMMAND} --build ${scratch}/build)
    execute_process(COMMAND ${scratch}/build/consumer RESULT_VARIABLE failed)
    if(NOT failed)
        message(FATAL_ERROR "the program still has the file that it was built with first")
    endif()
endif()
