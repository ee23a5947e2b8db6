#include "pipeline.h"

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
  outcome_ = *flight.outcome;
  newest_sums_ = flight.row_sums;
  ++finished_;
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
