# CPack runs this over what it is about to pack: pages and changelogs are compressed, as Debian's Policy asks (12.1,
# 12.7), without a time stamp, so that the same input gives the same bytes.
file(GLOB_RECURSE pages ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/usr/share/man/man*/*)
file(GLOB changelogs ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/usr/share/doc/cairn/changelog*)
foreach(file IN LISTS pages changelogs)
  execute_process(COMMAND gzip --best --no-name --force ${file} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
