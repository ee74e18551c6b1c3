// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
//
// Asks two services at once under a deadline; if one fails, or time runs out, the other is stopped.

#include <charconv>
#include <chrono>
#include <cstdio>
#include <functional>
#include <iostream>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <errgroup/errgroup.hpp>

namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

struct services {
  milliseconds profile_latency = 2s;
  milliseconds order_latency = 500ms;
  std::string failing;  // "profile", "order", or none.
};

using logger = std::function<void(const std::string&)>;

class dashboard_aggregator {
 public:
  struct settings {
    milliseconds timeout = 5s;
    logger log = [](const std::string&) {};
    services mock;
  };

  template <class... Options>
  explicit dashboard_aggregator(Options&&... options) {
    (std::forward<Options>(options)(settings_), ...);
  }

  errgroup::result<std::string> aggregate(const errgroup::context& ctx, int id) const {
    errgroup::group group(ctx, errgroup::with_timeout(settings_.timeout));
    auto profile = group.spawn([this, id](const errgroup::context& c) { return fetch_profile(c, id); });
    auto order = group.spawn([this, id](const errgroup::context& c) { return fetch_order(c, id); });
    if (errgroup::error err = group.wait()) return err;
    return *profile.get() + " | " + *order.get();
  }

 private:
  errgroup::result<std::string> fetch_profile(const errgroup::context& ctx, int) const {
    return fetch(ctx, "profile", settings_.mock.profile_latency, "Name: Alice");
  }

  errgroup::result<std::string> fetch_order(const errgroup::context& ctx, int id) const {
    return fetch(ctx, "order", settings_.mock.order_latency, "Order: " + std::to_string(id));
  }

  errgroup::result<std::string> fetch(const errgroup::context& ctx, const std::string& name, milliseconds latency,
                                      std::string answer) const {
    settings_.log(name + ": started");
    if (errgroup::error why = ctx.sleep_for(latency)) {
      settings_.log(name + ": stopped: " + why.message());
      return why;
    }
    if (settings_.mock.failing == name) {
      settings_.log(name + ": failed");
      return errgroup::error(name + ": service unavailable");
    }
    settings_.log(name + ": ended");
    return answer;
  }

  settings settings_;
};

auto with_timeout(milliseconds d) {
  return [d](dashboard_aggregator::settings& s) { s.timeout = d; };
}
auto with_logger(logger log) {
  return [log = std::move(log)](dashboard_aggregator::settings& s) { s.log = log; };
}
auto with_services(services mock) {
  return [mock = std::move(mock)](dashboard_aggregator::settings& s) { s.mock = mock; };
}

bool show(milliseconds timeout, const services& mock) {
  std::mutex mutex;
  const auto start = errgroup::clock::now();
  const auto log = [&](const std::string& line) {
    const std::chrono::duration<double> t = errgroup::clock::now() - start;
    const std::lock_guard lock(mutex);
    std::printf("[%6.3f s] %s\n", t.count(), line.c_str());
  };
  const dashboard_aggregator dashboard(with_timeout(timeout), with_logger(log), with_services(mock));
  const auto text = dashboard.aggregate(errgroup::context(), 5);
  log(text ? "success: " + *text : "error: " + text.error().message());
  return text.has_value();
}

std::optional<milliseconds> parse_duration(std::string_view text) {
  int n = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (ec != std::errc() || n < 0) return std::nullopt;
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  if (unit == "ms") return milliseconds(n);
  if (unit == "s") return std::chrono::seconds(n);
  return std::nullopt;
}

constexpr const char* usage =
    "usage: dashboard_aggregator [--timeout D] [--profile-latency D] [--order-latency D] [--fail profile|order]\n"
    "       D is a whole number of ms or s: 500ms, 2s. Without options: a run that times out, then one that does "
    "not.\n";

int bad_usage(const std::string& why) {
  std::cerr << "dashboard_aggregator: " << why << '\n' << usage;
  return 2;
}

int run(int argc, char** argv) {
  services mock;
  if (argc == 1) {
    std::puts("a timeout of 1 s");
    const bool timed_out = !show(1s, mock);
    std::puts("a timeout of 3 s");
    return timed_out && show(3s, mock) ? 0 : 1;
  }
  milliseconds timeout = 5s;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--help") {
      std::fputs(usage, stdout);
      return 0;
    }
    milliseconds* const target = option == "--timeout"           ? &timeout
                                 : option == "--profile-latency" ? &mock.profile_latency
                                 : option == "--order-latency"   ? &mock.order_latency
                                                                 : nullptr;
    if (!target && option != "--fail") return bad_usage("unknown option '" + option + "'");
    if (++i == argc) return bad_usage(option + " needs a value");
    const std::string value = argv[i];
    if (!target) {
      if (value != "profile" && value != "order")
        return bad_usage("--fail takes profile or order, not '" + value + "'");
      mock.failing = value;
    } else if (const auto d = parse_duration(value)) {
      *target = *d;
    } else {
      return bad_usage(option + ": '" + value + "' is not a duration such as 500ms or 2s");
    }
  }
  return show(timeout, mock) ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const int code = run(argc, argv);
  if (std::fflush(stdout) == 0 && !std::ferror(stdout)) return code;
  std::cerr << "dashboard_aggregator: the output could not be written\n";
  return 1;
}
