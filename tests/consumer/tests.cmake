# SPDX-License-Identifier: BSL-1.0
# Users' projects, each in a build tree of its own. They take the same compiler, and none of our flags.
set(consumer ${CMAKE_CTEST_COMMAND} --build-and-test "${CMAKE_CURRENT_SOURCE_DIR}/consumer")
set(consumer_options --build-generator "${CMAKE_GENERATOR}" --build-options
                     -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER} "-DERRGROUP_SOURCE=${PROJECT_SOURCE_DIR}")
find_package(Git QUIET)
foreach(how subdirectory fetch_local fetch_git plain)
  if(how STREQUAL "fetch_git" AND NOT (Git_FOUND AND EXISTS "${PROJECT_SOURCE_DIR}/.git"))
    continue()
  endif()
  add_test(NAME consumer_${how} COMMAND ${consumer} "${CMAKE_CURRENT_BINARY_DIR}/consumer_${how}" ${consumer_options}
                                        -DHOW=${how} --test-command ${CMAKE_CTEST_COMMAND} --output-on-failure)
endforeach()
if(ERRGROUP_INSTALL)
  set(prefix "${CMAKE_CURRENT_BINARY_DIR}/prefix")
  add_test(NAME install COMMAND ${CMAKE_COMMAND} --install "${PROJECT_BINARY_DIR}" --prefix "${prefix}")
  add_test(NAME consumer_package COMMAND ${consumer} "${CMAKE_CURRENT_BINARY_DIR}/consumer_package" ${consumer_options}
                                         -DHOW=package "-DCMAKE_PREFIX_PATH=${prefix}"
                                         --test-command ${CMAKE_CTEST_COMMAND} --output-on-failure)
  set_tests_properties(install PROPERTIES FIXTURES_SETUP installed)
  set_tests_properties(consumer_package PROPERTIES FIXTURES_REQUIRED installed)
endif()
