# Where everything goes, at Debian's places below the prefix, and the Debian package (cpack -G DEB).
install(TARGETS cairn RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

foreach(section 1 5 7)
  file(GLOB pages CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/man/*.${section})
  install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()

install(FILES ${CMAKE_SOURCE_DIR}/completions/cairn.bash
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME cairn)
install(FILES ${CMAKE_SOURCE_DIR}/completions/_cairn DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
install(FILES ${CMAKE_SOURCE_DIR}/completions/cairn.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)

# Not LIBDIR: systemd looks into lib alone.
file(GLOB units CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/systemd/*)
install(FILES ${units} DESTINATION lib/systemd/system)

install(FILES ${CMAKE_SOURCE_DIR}/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES ${CMAKE_CURRENT_LIST_DIR}/cairn.toml DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
install(FILES ${CMAKE_CURRENT_LIST_DIR}/cron/cairn DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples RENAME cron)

# For the day without this program: the independent reader of the format, and whole stores to try another one with.
# Among the examples, as the package depends on no Python.
install(FILES ${CMAKE_SOURCE_DIR}/tests/reference/cairn_reader.py DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
install(FILES ${CMAKE_SOURCE_DIR}/tests/reference/vectors.json DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples
  RENAME cairn-vectors.json)

install(FILES ${CMAKE_CURRENT_LIST_DIR}/prometheus/cairn.rules.yml
  DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples/prometheus)

include(${CMAKE_CURRENT_LIST_DIR}/debian/package.cmake)
