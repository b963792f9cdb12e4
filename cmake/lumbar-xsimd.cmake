# Evens out how packages of xsimd describe it, after find_package(xsimd). Used by the build and,
# installed, by find_package(lumbar).
if(NOT TARGET xsimd AND TARGET xsimd::xsimd)
    add_library(xsimd INTERFACE IMPORTED GLOBAL)
    target_link_libraries(xsimd INTERFACE xsimd::xsimd)
endif()

# Debian's 8.1 asks to link xtl, which it neither needs nor depends on: -lxtl, without that target.
if(TARGET xsimd AND NOT TARGET xtl)
    get_target_property(lumbar_xsimd_imported xsimd IMPORTED)
    get_target_property(lumbar_xsimd_links xsimd INTERFACE_LINK_LIBRARIES)
    if(lumbar_xsimd_imported AND "xtl" IN_LIST lumbar_xsimd_links)
        list(REMOVE_ITEM lumbar_xsimd_links xtl)
        set_property(TARGET xsimd PROPERTY INTERFACE_LINK_LIBRARIES "${lumbar_xsimd_links}")
    endif()
endif()
