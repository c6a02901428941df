# Has roformer as a part of another project's build (subproject/CMakeLists.txt), by add_subdirectory and by FetchContent,
# without CMAKE_BUILD_TYPE. To build the library a second time would take minutes: one of its files is compiled, and
# the parent's program is compiled, then linked by CMake's own command with the library that is built already, put where
# this build would make it. `make test-subproject` builds all of it (FULL=ON). Called by ctest:
#   cmake -D BUILD=… -D SOURCE=… -D CXX=… -D SANITIZE=… -D NINJA=… [-D FULL=ON] -P subproject.cmake
cmake_minimum_required(VERSION 3.25)
set(work ${BUILD}/subproject)
file(REMOVE_RECURSE ${work})
set(flags "")
if(SANITIZE)
  set(flags "-fsanitize=${SANITIZE}")
endif()

include(${CMAKE_CURRENT_LIST_DIR}/must.cmake)

function(must_match text pattern)
  if(NOT text MATCHES "${pattern}")
    message(FATAL_ERROR "expected something that matches: ${pattern}\ngot: ${text}")
  endif()
endfunction()

function(check_parent name fetch place)
  set(parent ${work}/${name})
  must(${CMAKE_COMMAND} -S ${SOURCE}/tests/library/subproject -B ${parent} -G Ninja -DROFORMER_SOURCE=${SOURCE}
    -DCMAKE_MAKE_PROGRAM=${NINJA} -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_CXX_FLAGS=${flags} -DFETCH=${fetch}
    -DROFORMER_SANITIZE=${SANITIZE})
  if(FULL)
    must(${CMAKE_COMMAND} --build ${parent} --target app)
  else()
    # Compiled as the parent wishes, and as C++20 only because the library's headers need it.
    must(${NINJA} -C ${parent} -t commands CMakeFiles/app.dir/main.cc.o)
    must_match("${output}" "-I${SOURCE}/include .*-std=gnu\\+\\+20")
    if(output MATCHES "-march|-Wall|-O[123]|ROFORMER_")
      message(FATAL_ERROR "roformer's flags are the parent's now: ${output}")
    endif()
    # The library is optimized all the same, and exports what it should.
    must(${NINJA} -C ${parent} -t commands ${place}/libroformer.so)
    must_match("${output}" "-O3 -DNDEBUG .*--version-script=${SOURCE}/src/library/exports.map")
    if(fetch STREQUAL "OFF")
      must(${NINJA} -C ${parent} -t targets all)
      string(REGEX MATCH "[^\n]*/roformer_tensor\\.dir/[^\n]*\\.o:" object "${output}")
      string(REPLACE ":" "" object "${object}")
      must(${NINJA} -C ${parent} ${object})
    endif()
    must(${NINJA} -C ${parent} CMakeFiles/app.dir/main.cc.o)
    file(GLOB libraries ${BUILD}/libroformer.so*)
    file(COPY ${libraries} DESTINATION ${parent}/${place})
    must(${NINJA} -C ${parent} -t commands app)
    string(REGEX MATCH "[^\n]* -o app [^\n]*" link "${output}")
    must(sh -c "cd '${parent}' && ${link}")
  endif()
  must(${parent}/app)  # finds the library in the build tree
  must_match("${output}" "^[0-9]+[.][0-9]+[.][0-9]+\n$")
  # Nothing of it is installed beside the parent's own files.
  must(${CMAKE_COMMAND} --install ${parent} --prefix ${parent}/prefix)
  if(EXISTS ${parent}/prefix)
    message(FATAL_ERROR "a parent that installs nothing installed ${parent}/prefix")
  endif()
endfunction()

check_parent(add_subdirectory OFF roformer)
check_parent(fetch_content ON _deps/roformer-build)
file(REMOVE_RECURSE ${work})
