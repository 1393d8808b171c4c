# What a store holds to explain itself (recover/, see cairn-format(5)), as a source of the program: manual pages as text
# that any screen shows, the independent reader, and whole stores to try another reader with.
find_program(MANDOC mandoc REQUIRED)

set(recover_directory ${CMAKE_BINARY_DIR}/recover)
file(MAKE_DIRECTORY ${recover_directory})

# The pages one after another, in ASCII and without overstrikes.
function(cairn_page_text name)
  add_custom_command(OUTPUT ${recover_directory}/${name}
    COMMAND sh -c "for page; do ${MANDOC} -T ascii -O width=78 \"$page\" || exit 1; done > ${name}.raw && LC_ALL=C sed 's/.\\x08//g' ${name}.raw > ${name}"
      sh ${ARGN}
    WORKING_DIRECTORY ${recover_directory}
    DEPENDS ${ARGN}
    COMMENT "Rendering ${name}"
    VERBATIM)
endfunction()

file(GLOB recover_pages CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/man/*.1 ${CMAKE_SOURCE_DIR}/man/cairn.toml.5)
cairn_page_text(cairn-format.txt ${CMAKE_SOURCE_DIR}/man/cairn-format.5)
cairn_page_text(cairn-runbook.txt ${CMAKE_SOURCE_DIR}/man/cairn-runbook.7)
cairn_page_text(cairn-manual.txt ${recover_pages})

set(recover_files
  README.txt=${CMAKE_CURRENT_LIST_DIR}/README.txt
  cairn-format.txt=${recover_directory}/cairn-format.txt
  cairn-manual.txt=${recover_directory}/cairn-manual.txt
  cairn-runbook.txt=${recover_directory}/cairn-runbook.txt
  cairn-vectors.json=${CMAKE_SOURCE_DIR}/tests/reference/vectors.json
  cairn_reader.py=${CMAKE_SOURCE_DIR}/tests/reference/cairn_reader.py)
list(TRANSFORM recover_files REPLACE "^[^=]*=" "" OUTPUT_VARIABLE recover_inputs)

# It runs while building, so it is built without the sanitizers of the tree.
add_executable(cairn_embed ${CMAKE_CURRENT_LIST_DIR}/embed.cpp)
add_custom_command(OUTPUT ${recover_directory}/recovery_files.cpp
  COMMAND cairn_embed ${recover_directory}/recovery_files.cpp ${recover_files}
  DEPENDS cairn_embed ${recover_inputs}
  COMMENT "Embedding the recovery files")
target_sources(cairn_core PRIVATE ${recover_directory}/recovery_files.cpp)
