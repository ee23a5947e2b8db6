// The whole test framework: named tests, expectations with a message, and the line that scripts count.
#pragma once

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <exception>

namespace check {

struct State {
  int passed = 0;
  int failed = 0;
  int complaints = 0;  ///< of the test that runs
};

inline State& state() {
  static State only;
  return only;
}

/// Fails the running test with a printf-style message where `holds` is false. A test reports its first few complaints.
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
inline void
expect(bool holds, const char* format, ...) {
  if (holds || ++state().complaints > 5) return;
  std::printf("    ");
  va_list values;
  va_start(values, format);
  std::vprintf(format, values);
  va_end(values);
  std::printf("\n");
}

/// Prints the count; the exit status of the program.
inline int summary() {
  std::printf("%d passed, %d failed\n", state().passed, state().failed);
  return state().failed == 0 ? 0 : 1;
}

/// Runs one test; its name is a sentence. With STOP_AT_FAILURE in the environment the first that fails ends the
/// program.
template <class Body>
void test(const char* name, Body&& body) {
  state().complaints = 0;
  try {
    body();
  } catch (const std::exception& error) {
    expect(false, "threw %s", error.what());
  }
  const bool passes = state().complaints == 0;
  (passes ? state().passed : state().failed)++;
  std::printf("%s %s\n", passes ? "ok  " : "FAIL", name);
  std::fflush(stdout);
  if (!passes && std::getenv("STOP_AT_FAILURE") != nullptr) std::exit(summary());
}

}  // namespace check
