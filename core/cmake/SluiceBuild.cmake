# How everything in this tree is compiled, and the two shapes it comes in: a library of the core and a stage.
#
#   sluice_library(FOLDER [LINKS ...] [USES ...])   core/FOLDER as a static library, sluice_lab_load for lab/load; its headers are
#                                              included as "FOLDER/x.h", and only by those who link it, so a wrong arrow
#                                              does not compile; what it USES, those who link it cannot include
#   sluice_add_stage(KIND NAME SOURCES ... [LINKS ...])   build/stages|plugins/KIND/NAME.so, with core/include alone:
#                                              SluiceStage.cmake, which is also what authors elsewhere get

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

# The core is C; a stage need not be. Without a C++ compiler the stages in C++ are left out. It must come from where the C
# compiler does: the sanitizers of two makers don't go together.
include(CheckLanguage)
if(NOT DEFINED CMAKE_CXX_COMPILER AND CMAKE_C_COMPILER_ID MATCHES "Clang")
  get_filename_component(c_compiler_name "${CMAKE_C_COMPILER}" NAME)
  string(REGEX REPLACE "clang" "clang++" cxx_compiler_name "${c_compiler_name}")
  find_program(CMAKE_CXX_COMPILER "${cxx_compiler_name}")
endif()
check_language(CXX)
if(CMAKE_CXX_COMPILER)
  enable_language(CXX)
endif()

add_library(sluice_flags INTERFACE)
target_compile_definitions(sluice_flags INTERFACE _GNU_SOURCE)
target_compile_options(sluice_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                                              $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes;-Wmissing-prototypes>
                                              # C++ counts what a designated initializer leaves out as missing
                                              $<$<COMPILE_LANGUAGE:CXX>:-Wno-missing-field-initializers>
                                              $<$<BOOL:${SLUICE_WERROR}>:-Werror>)
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

# The public headers: the only ones a stage may include.
add_library(sluice_api INTERFACE)
add_library(sluice::api ALIAS sluice_api)
target_include_directories(sluice_api INTERFACE "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/core/include>"
                                                "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")

function(sluice_library folder)
  cmake_parse_arguments(LIBRARY "" "" "LINKS;USES" ${ARGN})
  string(REPLACE "/" "_" name "${folder}")
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/core/${folder}/*.c")
  # One include root per library, holding nothing but a link to its folder.
  set(root "${PROJECT_BINARY_DIR}/include/${name}")
  get_filename_component(parent "${root}/${folder}" DIRECTORY)
  file(MAKE_DIRECTORY "${parent}")
  file(CREATE_LINK "${PROJECT_SOURCE_DIR}/core/${folder}" "${root}/${folder}" SYMBOLIC)
  add_library(sluice_${name} STATIC ${sources})
  target_include_directories(sluice_${name} PUBLIC "${root}")
  target_link_libraries(sluice_${name} PUBLIC sluice_api ${LIBRARY_LINKS} PRIVATE sluice_flags ${LIBRARY_USES})
endfunction()

include(SluiceStage)

# What a stage of this tree has beyond what everybody's has: the strict flags, and a place in the build like its place here.
function(sluice_adopt_stage target kind)
  file(RELATIVE_PATH place "${PROJECT_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}")
  string(REGEX REPLACE "/.*" "" place "${place}") # stages or plugins
  target_link_libraries(${target} PRIVATE sluice_flags)
  set_target_properties(${target} PROPERTIES LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/${place}/${kind}")
  set_property(GLOBAL APPEND PROPERTY SLUICE_STAGE_TARGETS ${target})
  install(TARGETS ${target} DESTINATION "${CMAKE_INSTALL_LIBDIR}/sluice/${place}/${kind}")
endfunction()
