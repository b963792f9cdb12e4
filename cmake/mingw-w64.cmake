# Cross-compiles for Windows on Debian (g++-mingw-w64-x86-64-posix) and runs tests under wine64.
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_CXX_COMPILER x86_64-w64-mingw32-g++-posix)
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
# Without .NET and HTML, which wine would offer to install, in a window.
set(LUMBAR_WINE_ENVIRONMENT
    "${CMAKE_COMMAND};-E;env;WINEDEBUG=-all;WINEDLLOVERRIDES=mscoree,mshtml=;WINEPREFIX=${CMAKE_BINARY_DIR}/wine")
set(CMAKE_CROSSCOMPILING_EMULATOR "${LUMBAR_WINE_ENVIRONMENT};/usr/lib/wine/wine64")

# No library of the machine that compiles; and not /usr/include, where the C library's headers are
# Linux's: the header-only packages are copied beside their configurations.
set(packages ${CMAKE_BINARY_DIR}/packages)
set(CMAKE_FIND_ROOT_PATH /usr/x86_64-w64-mingw32 ${packages})
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
get_property(trying GLOBAL PROPERTY IN_TRY_COMPILE)
if(NOT trying)
    foreach(headers xsimd nlohmann doctest stb eigen3)
        file(COPY /usr/include/${headers} DESTINATION ${packages}/include)
    endforeach()
    foreach(package lib/${CMAKE_HOST_SYSTEM_PROCESSOR}-linux-gnu/cmake/xsimd
                    share/cmake/nlohmann_json lib/cmake/doctest share/eigen3/cmake)
        cmake_path(GET package PARENT_PATH folder)
        if(EXISTS /usr/${package})
            file(COPY /usr/${package} DESTINATION ${packages}/${folder})
        endif()
    endforeach()
    set(doctest ${packages}/lib/cmake/doctest/doctestTargets.cmake)
    if(EXISTS ${doctest})  # which knows where it was installed
        file(READ ${doctest} text)
        string(REPLACE "set(_IMPORT_PREFIX \"/usr\")" "set(_IMPORT_PREFIX \"${packages}\")" text "${text}")
        file(WRITE ${doctest} "${text}")
    endif()
    list(APPEND CMAKE_PREFIX_PATH /lib/${CMAKE_HOST_SYSTEM_PROCESSOR}-linux-gnu/cmake)
endif()
