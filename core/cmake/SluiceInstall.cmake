# `cmake --install`: the programs, their stages, the public headers, and how others find them. Everything lies
# relative to the prefix and may be moved with it. The service (unit, configuration) is a component of its own, for packages:
# its places are absolute.

include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/sluice")

install(TARGETS sluice EXPORT sluice-targets DESTINATION "${CMAKE_INSTALL_BINDIR}")
install(TARGETS sluice-lab DESTINATION "${CMAKE_INSTALL_BINDIR}")
install(TARGETS sluice_api EXPORT sluice-targets)
set_target_properties(sluice_api PROPERTIES EXPORT_NAME api)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/core/include/sluice" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT sluice-targets NAMESPACE sluice:: DESTINATION "${package_dir}")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/pipelines" DESTINATION "${CMAKE_INSTALL_DATADIR}/sluice")
install(FILES "${PROJECT_SOURCE_DIR}/core/package/grafana/sluice.json" DESTINATION "${CMAKE_INSTALL_DATADIR}/sluice/grafana")
install(FILES "${PROJECT_SOURCE_DIR}/core/package/prometheus/sluice.rules.yml"
  DESTINATION "${CMAKE_INSTALL_DATADIR}/sluice/prometheus")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/benchmarks/gates" DESTINATION "${CMAKE_INSTALL_DATADIR}/sluice")
# The guides, the formats of files (docs/internals) and the examples, so that a page that is installed names none that is not.
install(DIRECTORY "${PROJECT_SOURCE_DIR}/docs/" DESTINATION "${CMAKE_INSTALL_DOCDIR}" FILES_MATCHING PATTERN "*.md" PATTERN "*.rs"
  PATTERN "man" EXCLUDE)
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" "${PROJECT_SOURCE_DIR}/CHANGELOG.md" "${PROJECT_SOURCE_DIR}/core/trace/trace.h" DESTINATION "${CMAKE_INSTALL_DOCDIR}")

configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/sluice-config.cmake.in" "${PROJECT_BINARY_DIR}/sluice-config.cmake"
  INSTALL_DESTINATION "${package_dir}")
# A stage that was written for this minor version builds with any later one of the same major.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/sluice-config-version.cmake" COMPATIBILITY SameMajorVersion)
install(FILES "${PROJECT_BINARY_DIR}/sluice-config.cmake" "${PROJECT_BINARY_DIR}/sluice-config-version.cmake"
              "${CMAKE_CURRENT_LIST_DIR}/SluiceStage.cmake" DESTINATION "${package_dir}")

file(RELATIVE_PATH SLUICE_PC_TO_PREFIX "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
string(REGEX REPLACE "/$" "" SLUICE_PC_TO_PREFIX "${SLUICE_PC_TO_PREFIX}")
configure_file("${CMAKE_CURRENT_LIST_DIR}/sluice.pc.in" "${PROJECT_BINARY_DIR}/sluice.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/sluice.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
