# Defines lumbar::image, the library with pictures, where the headers of stb are found. Used by the
# build and, installed, by find_package(lumbar): where stb lies is the business of the machine that
# compiles against it.
find_path(LUMBAR_STB_INCLUDE_DIR stb_image.h PATH_SUFFIXES stb)
mark_as_advanced(LUMBAR_STB_INCLUDE_DIR)
if(LUMBAR_STB_INCLUDE_DIR AND NOT TARGET lumbar::image)
    add_library(lumbar::image INTERFACE IMPORTED GLOBAL)
    target_link_libraries(lumbar::image INTERFACE lumbar::lumbar)
    target_include_directories(lumbar::image INTERFACE ${LUMBAR_STB_INCLUDE_DIR})
endif()
