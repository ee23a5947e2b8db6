// The pool: every item exactly once, no more threads than asked for, nobody waits for a worker that has no work of
// theirs. A test that waits for a condition that never comes hangs: the scripts run it under a time limit.
#include "kernels/cpu/threads.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <ctime>
#include <filesystem>
#include <iterator>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "check.h"

#ifndef _WIN32
#include <sys/wait.h>
#include <unistd.h>
#endif

namespace {

using adamw::cpu::Length;
using adamw::cpu::parallel_for;
using check::expect;

/// Runs [0, items) and counts how often each item came, as plain integers: a data race would show under
/// ThreadSanitizer.
std::vector<int> counts(int64_t items, int64_t grain, int threads) {
  std::vector<int> seen(static_cast<size_t>(items), 0);
  parallel_for(items, grain, threads, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) ++seen[static_cast<size_t>(i)];
  });
  return seen;
}

bool all_once(const std::vector<int>& seen) {
  return std::all_of(seen.begin(), seen.end(), [](int count) { return count == 1; });
}

void every_item_once() {
  for (const int64_t items : {0, 1, 2, 7, 64, 1000}) {
    for (const int64_t grain : {1, 2, 3, 64, 5000}) {
      for (int threads = 1; threads <= 6; ++threads) {
        expect(all_once(counts(items, grain, threads)), "%lld items by %lld on %d threads",
               static_cast<long long>(items), static_cast<long long>(grain), threads);
      }
    }
  }
}

void ranges_have_the_grain() {
  static constexpr int64_t kItems = 1003;
  static constexpr int64_t kGrain = 10;
  parallel_for(kItems, kGrain, 4, [](int64_t begin, int64_t end) {
    expect(begin % kGrain == 0 && end == std::min(begin + kGrain, kItems), "range %lld to %lld",
           static_cast<long long>(begin), static_cast<long long>(end));
  });
}

void limit_is_respected() {
  for (int threads = 1; threads <= 5; ++threads) {
    std::atomic<int> inside{0};
    std::atomic<int> most{0};
    parallel_for(200, 1, threads, [&](int64_t, int64_t) {
      const int now = ++inside;
      for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
      }
      std::this_thread::yield();
      --inside;
    });
    expect(most <= threads, "%d threads at once, %d allowed", most.load(), threads);
  }
}

void callers_at_once() {
  constexpr int kCallers = 6;
  constexpr int kRounds = 60;
  std::atomic<int> good{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < kCallers; ++caller) {
    callers.emplace_back([&, caller] {
      for (int round = 0; round < kRounds; ++round) good += all_once(counts(50 + round, 1 + caller, 2 + caller % 3));
    });
  }
  for (std::thread& caller : callers) caller.join();
  expect(good == kCallers * kRounds, "%d of %d calls did every item once", good.load(), kCallers * kRounds);
}

/// A door that is closed until somebody opens it.
class Door {
 public:
  void open() {
    const std::lock_guard<std::mutex> lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void pass() {
    std::unique_lock<std::mutex> lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void wait_for(int waiting) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return waiting_ >= waiting; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  int waiting_ = 0;
};

void idle_workers_are_not_waited_for() {
  constexpr int kThreads = 4;
  Door door;
  std::thread holder([&] { parallel_for(kThreads, 1, kThreads, [&](int64_t, int64_t) { door.pass(); }); });
  door.wait_for(kThreads);  // every worker, and the holder, is inside and stays there
  for (int round = 0; round < 20; ++round) expect(all_once(counts(100, 1, kThreads)), "round %d", round);
  door.open();
  holder.join();
}

void callers_write_what_the_next_call_reads() {
  std::vector<double> values(1000, 1.0);
  for (int round = 0; round < 100; ++round) {
    parallel_for(1000, 7, 4, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        values[static_cast<size_t>(i)] += values[static_cast<size_t>(i)] > 0 ? 1 : 0;
    });
    for (const double value : values) expect(value == round + 2, "%g after round %d", value, round);
  }
}

void calls_nest() {
  std::atomic<int> done{0};
  parallel_for(8, 1, 4, [&](int64_t, int64_t) { parallel_for(8, 1, 3, [&](int64_t, int64_t) { ++done; }); });
  expect(done == 64, "%d of 64 inner items", done.load());
}

/// The sum of what all threads of the process have run.
double processor_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

void idle_workers_sleep() {
  for (int round = 0; round < 100; ++round) expect(all_once(counts(100, 1, 4)), "round %d", round);
  const double before = processor_seconds();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  const double spent = processor_seconds() - before;
  expect(spent < 0.05, "they ran for %g of 0.3 s without a job", spent);
}

void brief_calls_in_a_row_are_shared() {
  const auto caller = std::this_thread::get_id();
  std::atomic<bool> is_shared{false};
  while (!is_shared) {
    std::atomic<int> done{0};
    auto item = [&](int64_t, int64_t) {
      if (std::this_thread::get_id() != caller) is_shared = true;
      ++done;
    };
    parallel_for(64, 1, 2, item, Length::kBrief);
    if (done != 64) return expect(false, "%d of 64 items", done.load());
  }
}

#ifdef __linux__
std::ptrdiff_t threads_of_process() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"), std::filesystem::directory_iterator());
}

/// In a child, whose pool has no workers yet.
void brief_calls_alone_wake_nobody() {
  const pid_t child = fork();
  if (child == 0) {
    const auto before = threads_of_process();
    std::atomic<int> done{0};
    parallel_for(
        64, 1, 4, [&](int64_t, int64_t) { ++done; }, Length::kBrief);
    _exit(done == 64 && threads_of_process() == before ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with %d", status);
}
#endif

#ifndef _WIN32
void fork_starts_anew() {
  expect(all_once(counts(100, 1, 4)), "before the fork");
  const pid_t child = fork();
  if (child == 0) _exit(all_once(counts(100, 1, 4)) && all_once(counts(1000, 3, 2)) ? 0 : 1);
  int status = -1;
  waitpid(child, &status, 0);
  expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with %d", status);
  expect(all_once(counts(100, 1, 4)), "the parent, after the fork");
}
#endif

}  // namespace

int main() {
  check::test("every item is done exactly once", every_item_once);
  check::test("ranges start at multiples of the grain and end with it", ranges_have_the_grain);
  check::test("no more threads work at once than were asked for", limit_is_respected);
  check::test("several callers at once each get all of their items done", callers_at_once);
  check::test("a caller never waits for a worker that has claimed none of its items", idle_workers_are_not_waited_for);
  check::test("what one call wrote, the caller and the next call read", callers_write_what_the_next_call_reads);
  check::test("a call inside a call works", calls_nest);
  check::test("workers without a job sleep", idle_workers_sleep);
  check::test("brief calls one after the other are shared", brief_calls_in_a_row_are_shared);
#ifdef __linux__
  check::test("a brief call alone wakes nobody", brief_calls_alone_wake_nobody);
#endif
#ifndef _WIN32
  check::test("a forked child uses a pool of its own", fork_starts_anew);
#endif
  check::test("the default number of threads is at least one",
              [] { expect(adamw::cpu::default_threads() >= 1, "none"); });
  return check::summary();
}
