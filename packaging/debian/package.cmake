# The Debian package: cmake -S . -B build/deb -DCMAKE_INSTALL_PREFIX=/usr ...; cpack --config build/deb/CPackConfig.cmake
# packaging/debian/build does it with Debian's own compiler flags, and lintian after it.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME cairn)
set(CPACK_PACKAGE_VENDOR "Cairn maintainers")
set(CPACK_PACKAGE_CONTACT "Cairn maintainers <maintainers@users.noreply.h-seed-dd0a6459.example>" CACHE STRING
  "Maintainer of the package: a name and an address")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "self-sufficient backups of databases and directories")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE
  WORLD_READ WORLD_EXECUTE)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/finish.cmake)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS ca-certificates)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "minisign, age, zstd")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"Cairn takes whole, self-sufficient snapshots of a stateful service: a SQLite
database in use, a directory, the output of a dump command. It keeps them
deduplicated, compressed and checked in a directory or in S3-compatible object
storage, and gets them back on a machine that has never seen the store.

Snapshots of a live database hold one committed state and never block its
writers. Nothing but the store is needed to restore: no chain of increments,
no catalogue, no server.")

# Debian's own files, under the names that Policy gives them.
install(FILES ${CMAKE_CURRENT_LIST_DIR}/copyright DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/cairn)
install(FILES ${CMAKE_CURRENT_LIST_DIR}/changelog DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/cairn
  RENAME changelog.Debian)
install(FILES ${CMAKE_SOURCE_DIR}/CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/cairn RENAME changelog)
install(FILES ${CMAKE_CURRENT_LIST_DIR}/lintian-overrides DESTINATION ${CMAKE_INSTALL_DATADIR}/lintian/overrides
  RENAME cairn)

include(CPack)
