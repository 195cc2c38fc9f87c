# A stage: one shared object with the headers of <sluice/…> and what it links itself. The same file serves this tree and,
# installed, everybody's own: `find_package(sluice)` brings it.
#
#   sluice_add_stage(KIND NAME SOURCES … [LINKS …] [PKG_CONFIG …] [TEST SCRIPT])
#
# builds NAME.so; the target is called stage_KIND_NAME. Sources ending in .cc, .cpp or .cxx are C++20. LINKS are targets or
# libraries; PKG_CONFIG are libraries by the names that pkg-config knows them by. SCRIPT becomes a test of CTest: it is called
# with the path of the .so, and finds the program in the environment as SLUICE.

function(sluice_add_stage kind name)
  cmake_parse_arguments(STAGE "" "TEST" "SOURCES;LINKS;PKG_CONFIG" ${ARGN})
  set(kinds auth parse idempotency queue persist)
  if(NOT kind IN_LIST kinds)
    message(FATAL_ERROR "sluice_add_stage: expected one of ${kinds}, got ${kind}")
  endif()
  if(STAGE_PKG_CONFIG)
    find_package(PkgConfig REQUIRED)
    pkg_check_modules(stage_${kind}_${name} REQUIRED IMPORTED_TARGET ${STAGE_PKG_CONFIG})
    list(APPEND STAGE_LINKS PkgConfig::stage_${kind}_${name})
  endif()
  set(target stage_${kind}_${name})
  add_library(${target} MODULE ${STAGE_SOURCES})
  target_link_libraries(${target} PRIVATE sluice::api ${STAGE_LINKS})
  # Nothing is exported but what SLUICE_STAGE() marks: two stages of one process must not see each other's functions.
  set_target_properties(${target} PROPERTIES
    PREFIX "" SUFFIX ".so" OUTPUT_NAME "${name}"
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF)
  if(COMMAND sluice_adopt_stage) # this tree has its own place and flags for a stage
    sluice_adopt_stage(${target} ${kind})
  else()
    set_target_properties(${target} PROPERTIES LIBRARY_OUTPUT_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}")
  endif()
  if(STAGE_TEST)
    add_test(NAME ${kind}_${name} COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/${STAGE_TEST}" "$<TARGET_FILE:${target}>")
    set_tests_properties(${kind}_${name} PROPERTIES ENVIRONMENT "SLUICE=$<TARGET_FILE:sluice::sluice>")
  endif()
endfunction()
