# What all builds of the checks have. CMAKE_EXPORT_COMPILE_COMMANDS is for clang-tidy, and for editors.
set(ERRGROUP_WERROR ON CACHE BOOL "")
set(CMAKE_EXPORT_COMPILE_COMMANDS ON CACHE BOOL "")
