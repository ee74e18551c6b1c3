// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
//
// Reads files at the same time, and tells the first error. Go's example JustErrors.

#include <fstream>
#include <iostream>
#include <string>

#include <errgroup/errgroup.hpp>

namespace {

errgroup::error read(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
  }
  return file.eof() ? errgroup::error() : errgroup::error(std::errc::io_error, path);
}

int run(int argc, char** argv) {
  if (argc == 1) {
    std::cerr << "just_errors: no files given\nusage: just_errors FILE...\n";
    return 2;
  }
  errgroup::group group;
  for (int i = 1; i < argc; ++i) {
    group.go([path = std::string(argv[i])] { return read(path); });
  }
  if (errgroup::error err = group.wait()) {
    std::cout << err << '\n';
    return 1;
  }
  std::cout << "read all files\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const int code = run(argc, argv);
  if (std::cout.flush()) return code;
  std::cerr << "just_errors: the output could not be written\n";
  return 1;
}
