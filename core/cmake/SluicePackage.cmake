# The Debian package, made by `cpack` (`./dev package`): what `cmake --install` installs, under /usr, and the service. The
# service's places are absolute, so a plain `cmake --install` leaves it out.

set(SLUICE_CONFIG_DIR /etc/sluice)
set(CPACK_INSTALL_PREFIX /usr)
set(service_dir "${PROJECT_SOURCE_DIR}/core/package")

# The unit is that of the package, whatever prefix this tree was configured for.
function(configure_unit)
  set(CMAKE_INSTALL_FULL_BINDIR "${CPACK_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}")
  configure_file("${service_dir}/sluice.service.in" "${PROJECT_BINARY_DIR}/sluice.service" @ONLY)
endfunction()
configure_unit()

install(FILES "${PROJECT_BINARY_DIR}/sluice.service" DESTINATION /usr/lib/systemd/system COMPONENT service EXCLUDE_FROM_ALL)
install(FILES "${service_dir}/pipeline.yaml" DESTINATION "${SLUICE_CONFIG_DIR}" COMPONENT service EXCLUDE_FROM_ALL)
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CPACK_INSTALL_PREFIX}/share/doc/sluice" RENAME copyright
  COMPONENT service EXCLUDE_FROM_ALL)

set(CPACK_GENERATOR DEB)
set(CPACK_SET_DESTDIR ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_NAME sluice)
set(CPACK_PACKAGE_VENDOR "The Sluice authors")
set(CPACK_PACKAGE_CONTACT "The Sluice authors <sluice@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "webhook ingestion through a pipeline of stages")
set(CPACK_PACKAGE_DESCRIPTION "Sluice takes webhooks in over HTTP, runs each through a pipeline of stages,
stores it exactly once and answers the sender. Every stage is a shared object,
a pipeline is a YAML file, and every stage boundary is timed.
.
The headers and the CMake package for authors of stages are included.")

# Debian has another program of this name; without the epoch apt would take that one for a newer version of this.
set(CPACK_DEBIAN_PACKAGE_EPOCH 1)

set(CPACK_COMPONENTS_ALL Unspecified service)
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "adduser")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "cmake, make, gcc | c-compiler, pkg-config, postgresql") # the first four for who writes stages
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA "${service_dir}/postinst;${service_dir}/prerm;${service_dir}/postrm;${service_dir}/conffiles")
find_program(dpkg_program dpkg)
if(dpkg_program)
  execute_process(COMMAND "${dpkg_program}" --print-architecture OUTPUT_VARIABLE CPACK_DEBIAN_PACKAGE_ARCHITECTURE
    OUTPUT_STRIP_TRAILING_WHITESPACE)
endif()
set(CPACK_PACKAGE_FILE_NAME "sluice_${PROJECT_VERSION}_${CPACK_DEBIAN_PACKAGE_ARCHITECTURE}")
include(CPack)
