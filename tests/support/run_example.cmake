# SPDX-License-Identifier: BSL-1.0
#
# Runs what follows `--`, and checks its exit code against EXIT_CODE and all that it prints against OUTPUT. With
# STDOUT its standard output goes to that file, and only what it prints to the standard error is checked.
include("${CMAKE_CURRENT_LIST_DIR}/command_line.cmake")
if(DEFINED STDOUT)
  execute_process(COMMAND ${command} RESULT_VARIABLE code OUTPUT_FILE "${STDOUT}" ERROR_VARIABLE err)
else()
  execute_process(COMMAND ${command} RESULT_VARIABLE code OUTPUT_VARIABLE out ERROR_VARIABLE err)
endif()
if(NOT code STREQUAL EXIT_CODE)
  message(FATAL_ERROR "exit code ${code}, not ${EXIT_CODE}: ${out}${err}")
endif()
if(NOT "${out}${err}" MATCHES "${OUTPUT}")
  message(FATAL_ERROR "'${out}${err}' does not match '${OUTPUT}'")
endif()
