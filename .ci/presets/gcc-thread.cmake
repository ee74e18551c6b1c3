# g++ with ThreadSanitizer.
set(CMAKE_CXX_COMPILER g++ CACHE STRING "")
set(ERRGROUP_SANITIZE thread CACHE STRING "")
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")
