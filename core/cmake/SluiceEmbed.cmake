# Makes files part of a program or a library, as a table of struct template_file (base/template.h).
#
#   sluice_embed(TARGET TABLE FILES …)    adds a source with `const struct template_file TABLE[]` to TARGET
#
# The same file, run with `cmake -P`, writes that source when one of the files has changed.

if(NOT CMAKE_SCRIPT_MODE_FILE)
  set(SLUICE_EMBED_SCRIPT "${CMAKE_CURRENT_LIST_FILE}")
  function(sluice_embed target table)
    cmake_parse_arguments(EMBED "" "" "FILES" ${ARGN})
    set(source "${CMAKE_CURRENT_BINARY_DIR}/${table}.c")
    add_custom_command(OUTPUT "${source}"
      COMMAND "${CMAKE_COMMAND}" "-DTABLE=${table}" "-DOUTPUT=${source}" "-DFILES=${EMBED_FILES}" -P "${SLUICE_EMBED_SCRIPT}"
      DEPENDS ${EMBED_FILES} "${SLUICE_EMBED_SCRIPT}" VERBATIM)
    target_sources(${target} PRIVATE "${source}")
  endfunction()
  return()
endif()

set(text "#include \"base/template.h\"\n")
set(rows "")
set(number 0)
foreach(file IN LISTS FILES)
  file(READ "${file}" bytes HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  get_filename_component(name "${file}" NAME)
  string(APPEND text "\nstatic const unsigned char file_${number}[] = {${bytes}};\n")
  string(APPEND rows "\t{\"${name}\", file_${number}, sizeof(file_${number})},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(WRITE "${OUTPUT}" "${text}\nconst struct template_file ${TABLE}[] = {\n${rows}\t{0},\n};\n")
