#include "pipeline.h"

#include <algorithm>

#include "rule/control.h"

namespace adamw {
namespace {

/// Hands out consecutive parts of one piece of memory; all types here have the alignment of a double.
template <class T>
T* take(char*& free, int64_t count) {
  static_assert(alignof(T) <= alignof(double) && sizeof(T) % alignof(double) == 0);
  T* const part = reinterpret_cast<T*>(free);
  free += static_cast<size_t>(count) * sizeof(T);
  return part;
}

size_t flight_bytes(int64_t rows) {
  return sizeof(double) + Pipeline::kForeseen * sizeof(Rates) + sizeof(Outcome) +
         static_cast<size_t>(rows) * (sizeof(uint64_t) + sizeof(double));
}

}  // namespace

Pipeline::Pipeline(const Device& device, int64_t rows)
    : device_(&device), memory_(device, kDepth * flight_bytes(rows), Place::kHost) {
  newest_.row_sums.resize(static_cast<size_t>(rows));
  char* free = memory_.as<char>();
  for (int i = 0; i < kDepth; ++i) {
    Flight flight;
    flight.gradient_scale = take<double>(free, 1);
    flight.rates = take<Rates>(free, kForeseen);
    flight.outcome = take<Outcome>(free, 1);
    flight.row_sums = take<double>(free, rows);
    flight.gradients = take<void*>(free, rows);
    flights_.push_back(flight);
    events_.emplace_back(device);
  }
}

const Pipeline::Flight& Pipeline::next() {
  poll();
  if (under_way() == kDepth) {
    device_->wait_for_event(events_[finished_ % kDepth].get());
    take_in();
  }
  return flights_[issued_ % kDepth];
}

void Pipeline::depart(void* stream) {
  device_->record(events_[issued_ % kDepth].get(), stream);
  ++issued_;
}

void Pipeline::take_in() {
  const Flight& flight = flights_[finished_ % kDepth];
  reset(*flight.outcome);
  std::copy_n(flight.row_sums, newest_.row_sums.size(), newest_.row_sums.begin());
  ++finished_;
  const Report& report = newest_.report;
  const bool failed = report.outside_window != 0.0 || ends_in_error(policy_, report);
  if (failed && failure_ == nullptr) failure_ = std::make_unique<Result>(newest_);
}

void Pipeline::poll() {
  while (under_way() > 0 && device_->is_done(events_[finished_ % kDepth].get())) take_in();
}

void Pipeline::drain() {
  while (under_way() > 0) {
    device_->wait_for_event(events_[finished_ % kDepth].get());
    take_in();
  }
}

}  // namespace adamw
