# cmake -P: builds and runs tests/build/consumer with Lumbar from `way`: add_subdirectory,
# find_package (after an install), or fetch_content (every dependency through the fallback).
function(run)
    execute_process(COMMAND ${ARGV} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE ${scratch})
file(MAKE_DIRECTORY ${scratch})
set(common -G ${generator} -D CMAKE_CXX_COMPILER=${compiler})
set(options -D way=${way} -D lumbar_source=${source})

if(way STREQUAL "find_package")
    run(${CMAKE_COMMAND} ${common} -S ${source} -B ${scratch}/lumbar
        -D LUMBAR_BUILD_TESTS=OFF -D LUMBAR_BUILD_EXAMPLES=OFF -D LUMBAR_BUILD_BENCHMARKS=OFF)
    run(${CMAKE_COMMAND} --install ${scratch}/lumbar --prefix ${scratch}/installed)
    list(APPEND options -D CMAKE_PREFIX_PATH=${scratch}/installed)

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
    set(sources -D LUMBAR_USE_SYSTEM_DEPENDENCIES=OFF -D LUMBAR_FETCH_STB=ON)
    foreach(name xsimd nlohmann_json stb doctest eigen3)
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
