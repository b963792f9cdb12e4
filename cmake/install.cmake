# Install rules, and the package that find_package(lumbar) reads.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# Headers serve every architecture, so their package lies in share/ and not in a lib/ of one.
set(lumbar_package_dir ${CMAKE_INSTALL_DATADIR}/cmake/lumbar)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/lumbar DESTINATION include
        FILES_MATCHING PATTERN "*.hpp" PATTERN "*.inc")
install(TARGETS lumbar EXPORT lumbar-targets)
install(EXPORT lumbar-targets NAMESPACE lumbar:: DESTINATION ${lumbar_package_dir})

configure_package_config_file(
    ${CMAKE_CURRENT_LIST_DIR}/lumbar-config.cmake.in ${PROJECT_BINARY_DIR}/lumbar-config.cmake
    INSTALL_DESTINATION ${lumbar_package_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(
    ${PROJECT_BINARY_DIR}/lumbar-config-version.cmake
    COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES ${PROJECT_BINARY_DIR}/lumbar-config.cmake
              ${PROJECT_BINARY_DIR}/lumbar-config-version.cmake
              ${CMAKE_CURRENT_LIST_DIR}/lumbar-xsimd.cmake
              ${CMAKE_CURRENT_LIST_DIR}/lumbar-image.cmake
              ${CMAKE_CURRENT_LIST_DIR}/lumbar-embed.cmake
              ${CMAKE_CURRENT_LIST_DIR}/lumbar-dispatch.cmake
        DESTINATION ${lumbar_package_dir})

# lumbar.pc, where it finds the headers wherever the prefix is moved to.
configure_file(${CMAKE_CURRENT_LIST_DIR}/lumbar.pc.in ${PROJECT_BINARY_DIR}/lumbar.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/lumbar.pc DESTINATION ${CMAKE_INSTALL_DATADIR}/pkgconfig)

# The single headers, off the include path: lumbar.hpp, and with pictures lumbar_image.hpp.
set(lumbar_single_dir ${PROJECT_BINARY_DIR}/single_include)
install(CODE "
    foreach(header lumbar lumbar_image)
        set(headers_of_lumbar_image lumbar/lumbar.hpp lumbar/image.hpp lumbar/image/imagenet_labels.hpp)
        execute_process(COMMAND \"${CMAKE_COMMAND}\" -P \"${CMAKE_CURRENT_LIST_DIR}/amalgamate.cmake\"
                                \"${lumbar_single_dir}/\${header}.hpp\" \${headers_of_\${header}}
                        COMMAND_ERROR_IS_FATAL ANY)
    endforeach()")
install(DIRECTORY ${lumbar_single_dir} DESTINATION ${CMAKE_INSTALL_DATADIR}/lumbar)

install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/lumbar)
