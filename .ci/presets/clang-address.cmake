# clang++ with AddressSanitizer and UndefinedBehaviorSanitizer.
set(CMAKE_CXX_COMPILER clang++ CACHE STRING "")
set(ERRGROUP_SANITIZE address,undefined CACHE STRING "")
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")
