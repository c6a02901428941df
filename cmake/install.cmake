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
# For pkg-config. The prefix is relative to the file, so that `cmake --install --prefix` may choose another.
set(pc_prefix ${CMAKE_INSTALL_PREFIX})
if(NOT IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR})
  file(RELATIVE_PATH pc_up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
  string(REGEX REPLACE "/$" "" pc_up "${pc_up}")
  set(pc_prefix "\${pcfiledir}/${pc_up}")
endif()
foreach(kind lib include)
  string(TOUPPER ${kind} upper)
  if(IS_ABSOLUTE ${CMAKE_INSTALL_${upper}DIR})
    set(pc_${kind}dir ${CMAKE_INSTALL_${upper}DIR})
  else()
    set(pc_${kind}dir "\${prefix}/${CMAKE_INSTALL_${upper}DIR}")
  endif()
endforeach()
configure_file(cmake/roformer.pc.in ${PROJECT_BINARY_DIR}/roformer.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/roformer.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(EXPORT roformerTargets NAMESPACE roformer:: DESTINATION ${package_directory})
