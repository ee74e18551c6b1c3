// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
//
// Asks several searches at once, and gives their results in the order in which they were asked. Go's example
// Parallel.

#include <chrono>
#include <iostream>
#include <string>
#include <vector>

#include <errgroup/errgroup.hpp>

namespace {

using namespace std::chrono_literals;

struct search {
  std::string kind;
  std::chrono::milliseconds latency;

  errgroup::result<std::string> operator()(const errgroup::context& ctx, const std::string& query) const {
    if (errgroup::error stopped = ctx.sleep_for(latency)) return stopped;
    if (query.find_first_not_of(' ') == std::string::npos)
      return errgroup::error(std::errc::invalid_argument, kind);
    return kind + " result for '" + query + "'";
  }
};

errgroup::result<std::vector<std::string>> search_all(const errgroup::context& parent, const std::string& query) {
  const std::vector<search> searches = {{"web", 30ms}, {"image", 20ms}, {"video", 10ms}};
  errgroup::group group(parent, errgroup::with_timeout(5s));
  std::vector<errgroup::handle<std::string>> handles;
  for (const search& s : searches) {
    handles.push_back(group.spawn([&](const errgroup::context& ctx) { return s(ctx, query); }));
  }
  if (errgroup::error err = group.wait()) return err;
  std::vector<std::string> results;
  for (const auto& h : handles) results.push_back(*h.get());
  return results;
}

int run(int argc, char** argv) {
  if (argc > 2) {
    std::cerr << "parallel_search: more than one query\nusage: parallel_search [QUERY]\n";
    return 2;
  }
  const auto results = search_all(errgroup::context(), argc == 2 ? argv[1] : "golang");
  if (!results) {
    std::cout << results.error() << '\n';
    return 1;
  }
  for (const std::string& line : *results) std::cout << line << '\n';
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const int code = run(argc, argv);
  if (std::cout.flush()) return code;
  std::cerr << "parallel_search: the output could not be written\n";
  return 1;
}
