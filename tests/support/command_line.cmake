# SPDX-License-Identifier: BSL-1.0
#
# Sets `command` to what follows `--` on the command line of a script that includes this.
math(EXPR last "${CMAKE_ARGC} - 1")
set(after FALSE)
foreach(i RANGE ${last})
  if(after)
    list(APPEND command "${CMAKE_ARGV${i}}")
  elseif("${CMAKE_ARGV${i}}" STREQUAL "--")
    set(after TRUE)
  endif()
endforeach()
