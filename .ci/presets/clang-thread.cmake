# clang++ with ThreadSanitizer.
set(CMAKE_CXX_COMPILER clang++ CACHE STRING "")
set(ERRGROUP_SANITIZE thread CACHE STRING "")
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")
