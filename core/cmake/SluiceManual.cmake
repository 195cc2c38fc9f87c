# The manual lies in docs/man: `sluice manual` writes it from the tables, but for sluice-stage.3, which is written by hand. A test
# fails where the pages and the program part ways; `cmake --build build --target manual` brings them together again.

set(manual_dir "${PROJECT_SOURCE_DIR}/docs/man")
get_property(stage_targets GLOBAL PROPERTY SLUICE_STAGE_TARGETS)

add_custom_target(manual
  COMMAND "${CMAKE_COMMAND}" -E env --unset=SLUICE_STAGE_PATH "$<TARGET_FILE:sluice>" manual "${manual_dir}" VERBATIM)
add_dependencies(manual sluice ${stage_targets})

foreach(section 1 3 5)
  file(GLOB pages CONFIGURE_DEPENDS "${manual_dir}/*.${section}")
  install(FILES ${pages} DESTINATION "${CMAKE_INSTALL_MANDIR}/man${section}")
endforeach()
install(FILES "${manual_dir}/sluice.bash" DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions" RENAME sluice)

if(CMAKE_CXX_COMPILER) # without one there are fewer stages than the pages list
  add_test(NAME manual_says_what_the_tables_say
    COMMAND "${CMAKE_COMMAND}" "-DSLUICE=$<TARGET_FILE:sluice>" "-DMANUAL=${manual_dir}" "-DWORK=${PROJECT_BINARY_DIR}/manual"
            -P "${CMAKE_CURRENT_LIST_DIR}/CheckManual.cmake")
endif()
add_test(NAME manual_names_all_of_the_headers
  COMMAND "${CMAKE_COMMAND}" "-DPAGE=${manual_dir}/sluice-stage.3" "-DHEADERS=${PROJECT_SOURCE_DIR}/core/include/sluice"
          "-DRULES=${PROJECT_SOURCE_DIR}/core/runtime/abi.c" -P "${CMAKE_CURRENT_LIST_DIR}/CheckStagePage.cmake")
find_program(MANDOC mandoc)
if(MANDOC)
  file(GLOB pages "${manual_dir}/*.[135]")
  add_test(NAME manual_is_well_formed COMMAND "${MANDOC}" -Tlint -Wstyle ${pages})
endif()
