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
        DESTINATION ${lumbar_package_dir})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/lumbar)
