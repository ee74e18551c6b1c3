# clang++, optimised and with asserts off as users build; with the benchmarks.
set(CMAKE_CXX_COMPILER clang++ CACHE STRING "")
set(CMAKE_BUILD_TYPE Release CACHE STRING "")
set(ERRGROUP_BUILD_BENCH ON CACHE BOOL "")
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")
