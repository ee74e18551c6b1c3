// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_TESTS_TIMER_GATE_HPP
#define ERRGROUP_TESTS_TIMER_GATE_HPP

#include <latch>
#include <memory>
#include <utility>

#include <errgroup/detail/context/timer.hpp>

/// Keeps deadlines from passing until it is opened, so that what is to be there by then is: it blocks the timer's
/// leader, which hands nothing over.
class timer_gate {
 public:
  timer_gate() {
    auto closed = std::make_unique<client>(*this);
    errgroup::detail::timer::shared().add(*closed, errgroup::clock::now());
    closed.release();  // Deletes itself.
    closed_.wait();
  }
  timer_gate(const timer_gate&) = delete;
  timer_gate& operator=(const timer_gate&) = delete;
  ~timer_gate() { open(); }
  void open() {
    if (std::exchange(is_open_, true)) return;
    open_.count_down();
    left_.wait();
  }

 private:
  class client final : public errgroup::detail::timer_client {
   public:
    explicit client(timer_gate& gate) : gate_(gate) {}
    ~client() = default;

   private:
    bool try_retain() noexcept override { return true; }
    void fire(errgroup::detail::timer_lead&) noexcept override {
      gate_.closed_.count_down();
      gate_.open_.wait();
      gate_.left_.count_down();
      delete this;
    }
    timer_gate& gate_;
  };

  std::latch closed_{1}, open_{1}, left_{1};
  bool is_open_ = false;
};

#endif  // ERRGROUP_TESTS_TIMER_GATE_HPP
