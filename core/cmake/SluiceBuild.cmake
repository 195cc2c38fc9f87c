# How everything in this tree is compiled, and the two shapes it comes in: a room of the core and a stage.
#
#   sluice_room(NAME [LINKS ...])              core/NAME as a static library; its headers are included as "NAME/x.h", and
#                                              only by those who link it, so a wrong arrow does not compile
#   sluice_add_stage(KIND NAME SOURCES ... [LINKS ...])   build/stages|plugins/KIND/NAME.so, with core/include alone

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

option(SLUICE_WERROR "warnings are errors" OFF)
set(SLUICE_SANITIZE "" CACHE STRING "a value for -fsanitize=, e.g. address,undefined or thread")
option(SLUICE_COVERAGE "count the lines that run" OFF)
option(SLUICE_FUZZ "build the fuzz targets (clang)" OFF)

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

add_library(sluice_flags INTERFACE)
target_compile_definitions(sluice_flags INTERFACE _GNU_SOURCE)
target_compile_options(sluice_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes
                                              -Wconversion $<$<BOOL:${SLUICE_WERROR}>:-Werror>)
if(SLUICE_SANITIZE)
  # What the sanitizers insert makes gcc see null format strings where there are none.
  target_compile_options(sluice_flags INTERFACE -fsanitize=${SLUICE_SANITIZE} -fno-omit-frame-pointer
                                                -fno-sanitize-recover=all
                                                $<$<C_COMPILER_ID:GNU>:-Wno-format-truncation>)
  target_link_options(sluice_flags INTERFACE -fsanitize=${SLUICE_SANITIZE})
endif()
if(SLUICE_COVERAGE)
  target_compile_options(sluice_flags INTERFACE --coverage)
  target_link_options(sluice_flags INTERFACE --coverage)
endif()
if(SLUICE_FUZZ)
  target_compile_options(sluice_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# The front door: the only headers a stage may include.
add_library(sluice_api INTERFACE)
target_include_directories(sluice_api INTERFACE "${PROJECT_SOURCE_DIR}/core/include")

function(sluice_room name)
  cmake_parse_arguments(ROOM "" "" "LINKS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/core/${name}/*.c")
  # One include root per room, holding nothing but a link to the room.
  file(MAKE_DIRECTORY "${PROJECT_BINARY_DIR}/rooms/${name}")
  file(CREATE_LINK "${PROJECT_SOURCE_DIR}/core/${name}" "${PROJECT_BINARY_DIR}/rooms/${name}/${name}" SYMBOLIC)
  add_library(sluice_${name} STATIC ${sources})
  target_include_directories(sluice_${name} PUBLIC "${PROJECT_BINARY_DIR}/rooms/${name}")
  target_link_libraries(sluice_${name} PUBLIC sluice_api ${ROOM_LINKS} PRIVATE sluice_flags)
endfunction()

function(sluice_add_stage kind name)
  cmake_parse_arguments(STAGE "" "" "SOURCES;LINKS" ${ARGN})
  file(RELATIVE_PATH place "${PROJECT_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}")
  string(REGEX REPLACE "/.*" "" place "${place}") # stages or plugins
  set(target stage_${kind}_${name})
  add_library(${target} MODULE ${STAGE_SOURCES})
  target_link_libraries(${target} PRIVATE sluice_api sluice_flags ${STAGE_LINKS})
  set_target_properties(${target} PROPERTIES
    PREFIX "" OUTPUT_NAME "${name}" LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/${place}/${kind}")
  set_property(GLOBAL APPEND PROPERTY SLUICE_STAGE_TARGETS ${target})
endfunction()
