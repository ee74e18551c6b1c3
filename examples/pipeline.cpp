// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
//
// Walks a directory and hashes its files, a few at a time; the first file that cannot be read stops it all. Go's
// example Pipeline, with FNV-1a in place of MD5. The walk is held back by the group's limit.

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <mutex>
#include <string>

#include <errgroup/errgroup.hpp>

namespace {

namespace fs = std::filesystem;

errgroup::result<std::uint64_t> hash_file(const errgroup::context& ctx, const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::uint64_t hash = 0xcbf29ce484222325;
  char buffer[65536];
  while (file.read(buffer, sizeof(buffer)) || file.gcount() > 0) {
    if (ctx.done()) return ctx.cause();
    for (std::streamsize i = 0; i != file.gcount(); ++i) {
      hash = (hash ^ static_cast<unsigned char>(buffer[i])) * 0x100000001b3;
    }
  }
  if (!file.eof()) return errgroup::error(std::errc::io_error, path.string());
  return hash;
}

errgroup::result<std::map<fs::path, std::uint64_t>> hash_all(const errgroup::context& parent,
                                                             const fs::path& root) {
  std::mutex mutex;
  std::map<fs::path, std::uint64_t> hashes;
  errgroup::group group(parent, errgroup::with_limit(8));
  std::error_code ec;
  fs::recursive_directory_iterator entry(root, ec);
  for (; !ec && entry != fs::recursive_directory_iterator(); entry.increment(ec)) {
    if (!entry->is_regular_file(ec)) continue;
    const bool accepted = group.go([&, path = entry->path()](const errgroup::context& ctx) -> errgroup::error {
      const auto hash = hash_file(ctx, path);
      if (!hash) return hash.error();
      const std::lock_guard lock(mutex);
      hashes.emplace(path, *hash);
      return nullptr;
    });
    if (!accepted) break;
  }
  if (ec) group.cancel(errgroup::error(ec, root.string()));
  errgroup::error err = group.wait();
  if (!err && ec) err = errgroup::error(ec, root.string());
  if (err) return err;
  return hashes;
}

int run(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "pipeline: one directory is needed\nusage: pipeline DIRECTORY\n";
    return 2;
  }
  const auto hashes = hash_all(errgroup::context(), argv[1]);
  if (!hashes) {
    std::printf("%s\n", hashes.error().message().c_str());
    return 1;
  }
  for (const auto& [path, hash] : *hashes) {
    std::printf("%016llx  %s\n", static_cast<unsigned long long>(hash), path.c_str());
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const int code = run(argc, argv);
  if (std::fflush(stdout) == 0 && !std::ferror(stdout)) return code;
  std::cerr << "pipeline: the output could not be written\n";
  return 1;
}
