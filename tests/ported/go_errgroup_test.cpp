// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
//
// The tests and examples of Go's golang.org/x/sync/errgroup (errgroup_test.go, errgroup_example_md5all_test.go),
// all of them, with their tables and in their order. Each test bears the name of its original.
//
// Left out: BenchmarkGo, which bench/ has. Where the originals ask the network, a table answers here; the digest
// is FNV-1a in place of MD5.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <unistd.h>

#include <gtest/gtest.h>

#include <errgroup/errgroup.hpp>

namespace {

using namespace std::chrono_literals;
using errgroup::context;
using errgroup::errc;
using errgroup::error;
using errgroup::group;
using errgroup::result;

/// Go's unbuffered channel: send() returns once a receiver has taken the value.
template <class T>
class go_channel {
 public:
  /// As `select { case ch <- value: return nil; case <-ctx.Done(): return ctx.Err() }`.
  error send(const context& ctx, T value) {
    std::unique_lock lock(mutex_);
    if (ctx.wait(changed_, lock, [&] { return !slot_; })) return ctx.err();
    slot_ = std::move(value);
    changed_.notify_all();
    const std::uint64_t mine = received_ + 1;
    if (ctx.wait(changed_, lock, [&] { return received_ >= mine; })) {
      slot_.reset();
      changed_.notify_all();
      return ctx.err();
    }
    return {};
  }
  /// As `value, ok := <-ch`; empty once the channel is closed.
  std::optional<T> receive() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return slot_ || closed_; });
    if (!slot_) return std::nullopt;
    ++received_;
    changed_.notify_all();
    return std::exchange(slot_, std::nullopt);
  }
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::optional<T> slot_;  // Guarded by mutex_, as are the next two.
  std::uint64_t received_ = 0;
  bool closed_ = false;
};

// Go: ExampleGroup_justErrors.
TEST(GoErrgroupTest, ExampleJustErrors) {
  using table = std::map<std::string, error>;
  const std::vector<std::string> urls = {"http://www.golang.org/", "http://www.google.com/",
                                         "http://www.somestupidname.com/"};
  const auto fetch_all = [&](const table& failures) {
    std::ostringstream out;
    group g;
    for (const std::string& url : urls) {
      g.go([&failures, url]() -> error {
        const auto failure = failures.find(url);
        return failure == failures.end() ? error() : failure->second;
      });
    }
    if (!g.wait()) out << "Successfully fetched all URLs.";
    return out.str();
  };
  EXPECT_EQ(fetch_all({}), "Successfully fetched all URLs.");
  EXPECT_EQ(fetch_all({{urls[2], error("no such host")}}), "");
}

using search = std::function<result<std::string>(const context&, const std::string&)>;

search fake_search(std::string kind) {
  return [kind = std::move(kind)](const context&, const std::string& query) -> result<std::string> {
    return kind + " result for \"" + query + "\"";
  };
}

result<std::vector<std::string>> google(const context& parent, const std::string& query,
                                        const std::vector<search>& searches) {
  group g(parent);
  const context ctx = g.get_context();
  std::vector<std::string> results(searches.size());
  for (std::size_t i = 0; i != searches.size(); ++i) {
    g.go([&, i]() -> error {
      result<std::string> found = searches[i](ctx, query);
      if (!found) return found.error();
      results[i] = *std::move(found);
      return {};
    });
  }
  if (error err = g.wait()) return err;
  return results;
}

// Go: ExampleGroup_parallel.
TEST(GoErrgroupTest, ExampleParallel) {
  const std::vector<search> searches = {fake_search("web"), fake_search("image"), fake_search("video")};
  const result<std::vector<std::string>> results = google(context(), "golang", searches);
  ASSERT_TRUE(results);
  std::ostringstream out;
  for (const std::string& found : *results) out << found << "\n";
  EXPECT_EQ(out.str(), "web result for \"golang\"\nimage result for \"golang\"\nvideo result for \"golang\"\n");
}

std::uint64_t fnv_1a(const std::string& data) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : data) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

result<std::string> read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return error::from_errno(path.string());
  return std::string(std::istreambuf_iterator<char>(file), {});
}

using digests = std::map<std::string, std::uint64_t>;

// Returns the digest of every file below `root`, or why one could not be made.
result<digests> digest_all(const context& parent, const std::filesystem::path& root) {
  struct digest {
    std::string path;
    std::uint64_t sum;
  };
  go_channel<std::filesystem::path> paths;
  go_channel<digest> found;
  group g(parent);
  const context ctx = g.get_context();

  g.go([&]() -> error {
    struct closer {
      go_channel<std::filesystem::path>& channel;
      ~closer() { channel.close(); }
    } const close_paths{paths};
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
      if (!entry.is_regular_file()) continue;
      if (error stopped = paths.send(ctx, entry.path())) return stopped;
    }
    return {};
  });

  constexpr int digesters = 20;
  for (int i = 0; i != digesters; ++i) {
    g.go([&]() -> error {
      while (const auto path = paths.receive()) {
        const result<std::string> data = read_file(*path);
        if (!data) return data.error();
        if (error stopped = found.send(ctx, {path->string(), fnv_1a(*data)})) return stopped;
      }
      return {};
    });
  }
  const std::jthread closes([&] {
    (void)g.wait();
    found.close();
  });

  digests all;
  while (auto next = found.receive()) all[std::move(next->path)] = next->sum;
  if (error err = g.wait()) return err;
  return all;
}

// A directory with files at three depths, for a scope.
class file_tree {
 public:
  file_tree() : root_(std::filesystem::path(testing::TempDir()) / ("errgroup_go_" + std::to_string(::getpid()))) {
    for (int i = 0; i != 60; ++i) {
      std::filesystem::path folder = root_;
      for (int depth = 0; depth != i % 3; ++depth) folder /= std::to_string(i % 7);
      std::filesystem::create_directories(folder);
      const std::filesystem::path path = folder / ("file_" + std::to_string(i));
      const std::string data(static_cast<std::size_t>(i) * 100, static_cast<char>('a' + i % 26));
      std::ofstream(path) << data;
      wanted_[path.string()] = fnv_1a(data);
    }
  }
  file_tree(const file_tree&) = delete;
  file_tree& operator=(const file_tree&) = delete;
  ~file_tree() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }

  const std::filesystem::path& root() const { return root_; }
  const digests& wanted() const { return wanted_; }

 private:
  const std::filesystem::path root_;
  digests wanted_;  // Set in the constructor.
};

// Go: ExampleGroup_pipeline.
TEST(GoErrgroupTest, ExamplePipeline) {
  const file_tree files;
  const result<digests> all = digest_all(context(), files.root());
  ASSERT_TRUE(all) << all.error();
  EXPECT_EQ(*all, files.wanted());
}

// Go: the comment on MD5All: it returns an error if the walk, or a read, fails.
TEST(GoErrgroupTest, ExamplePipelineFailsWithTheWalk) {
  const file_tree files;
  const result<digests> all = digest_all(context(), files.root() / "no such directory");
  EXPECT_EQ(all.error(), std::errc::no_such_file_or_directory);
}

// Go: TestZeroGroup. The zero Group is our keep_going().
TEST(GoErrgroupTest, ZeroGroup) {
  const error err1("errgroup_test: 1");
  const error err2("errgroup_test: 2");
  const std::vector<std::vector<error>> cases = {{}, {nullptr}, {err1}, {err1, nullptr}, {err1, nullptr, err2}};
  for (const auto& errs : cases) {
    group g(errgroup::keep_going());
    error first;
    for (const error& err : errs) {
      g.go([err] { return err; });
      if (!first && err) first = err;
      EXPECT_EQ(g.wait(), first);
    }
  }
}

// Go: TestWithContext.
TEST(GoErrgroupTest, WithContext) {
  const error doom("group_test: doomed");
  struct test_case {
    std::vector<error> errs;
    error want;
  };
  const std::vector<test_case> cases = {{{}, {}}, {{nullptr}, {}}, {{doom}, doom}, {{doom, nullptr}, doom}};
  for (const auto& [errs, want] : cases) {
    const context parent;
    group g(parent);
    const context ctx = g.get_context();
    for (const error& err : errs) g.go([err] { return err; });
    EXPECT_EQ(g.wait(), want);
    EXPECT_TRUE(ctx.done());
    EXPECT_TRUE(ctx.get_stop_token().stop_requested());
  }
}

// Go: TestTryGo.
TEST(GoErrgroupTest, TryGo) {
  struct nothing {};
  go_channel<nothing> ch;
  const auto fn = [&ch] { return ch.send(context(), {}); };
  const auto receive = [&ch](int times) {
    return std::jthread([&ch, times] {
      for (int i = 0; i != times; ++i) (void)ch.receive();
    });
  };

  group g;
  const int n = 42;
  g.set_limit(42);
  for (int i = 0; i < n; ++i) EXPECT_TRUE(g.try_go(fn)) << i;
  EXPECT_FALSE(g.try_go(fn));
  {
    const std::jthread receiver = receive(n);
    EXPECT_EQ(g.wait(), error());
  }

  EXPECT_TRUE(g.try_go(fn));
  {
    const std::jthread receiver = receive(1);
    EXPECT_EQ(g.wait(), error());
  }

  // Switch the limit, while nothing runs.
  g.set_limit(1);
  EXPECT_TRUE(g.try_go(fn));
  EXPECT_FALSE(g.try_go(fn));
  {
    const std::jthread receiver = receive(1);
    EXPECT_EQ(g.wait(), error());
  }

  // Block all calls.
  g.set_limit(0);
  for (int i = 0; i < 1 << 10; ++i) EXPECT_FALSE(g.try_go(fn)) << i;
  EXPECT_EQ(g.wait(), error());
}

// Go: TestGoLimit.
TEST(GoErrgroupTest, GoLimit) {
  const int limit = 10;
  std::atomic<int> active{0};
  group g;
  g.set_limit(limit);
  for (int i = 0; i <= 1 << 10; ++i) {
    g.go([&active]() -> error {
      const int n = ++active;
      if (n > limit) return error("saw " + std::to_string(n) + " active tasks; want <= " + std::to_string(limit));
      (void)context().sleep_for(1us);  // Gives other tasks a chance to increment `active`.
      --active;
      return {};
    });
  }
  EXPECT_EQ(g.wait(), error());
}

// Go: TestCancelCause.
TEST(GoErrgroupTest, CancelCause) {
  const error doom("group_test: doomed");
  struct test_case {
    std::vector<error> errs;
    error want;
  };
  const std::vector<test_case> cases = {{{}, {}}, {{nullptr}, {}}, {{doom}, doom}, {{doom, nullptr}, doom}};
  for (const auto& [errs, want] : cases) {
    group g{context()};
    const context ctx = g.get_context();
    for (const error& err : errs) g.try_go([err] { return err; });
    EXPECT_EQ(g.wait(), want);
    EXPECT_EQ(ctx.cause(), want ? want : error(errc::canceled));
  }
}

}  // namespace
