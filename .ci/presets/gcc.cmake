# g++, optimised, with asserts.
set(CMAKE_CXX_COMPILER g++ CACHE STRING "")
set(CMAKE_CXX_FLAGS -O2 CACHE STRING "")
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")
