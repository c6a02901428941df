# cmake --install: the program, the shared library, its headers, and what find_package(roformer) reads.
include(CMakePackageConfigHelpers)
set(package_directory ${CMAKE_INSTALL_LIBDIR}/cmake/roformer)

install(TARGETS roformer)
# bash finds it there by itself.
install(CODE "execute_process(COMMAND \"$<TARGET_FILE:roformer>\" completion
  OUTPUT_FILE \"${PROJECT_BINARY_DIR}/completion.bash\" COMMAND_ERROR_IS_FATAL ANY)")
install(FILES ${PROJECT_BINARY_DIR}/completion.bash
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME roformer)
install(TARGETS roformer_shared EXPORT roformerTargets)
install(DIRECTORY include/roformer DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
# A release may change the interface while the major version is 0.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/roformerConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES cmake/roformerConfig.cmake ${PROJECT_BINARY_DIR}/roformerConfigVersion.cmake
  DESTINATION ${package_directory})
install(EXPORT roformerTargets NAMESPACE roformer:: DESTINATION ${package_directory})
