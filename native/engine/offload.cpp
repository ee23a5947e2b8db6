#include "offload.h"

#include <algorithm>

#include "kernels/error.h"
#include "rule/control.h"

namespace adamw {

/// Which arrays of a parameter.
struct Offload::Arrays {
  bool param, gradient;
};

namespace {

/// Where the row's element 0 would be, for kernels that count from there.
float* start_of(float* stage, const Piece& piece) {
  const auto offset = static_cast<uintptr_t>(piece.place - piece.begin) * sizeof(float);
  return reinterpret_cast<float*>(reinterpret_cast<uintptr_t>(stage) + offset);
}

size_t bytes(int64_t count) { return static_cast<size_t>(count) * sizeof(float); }

}  // namespace

Offload::Offload(const Stream& stream, const Device& cpu, const std::vector<ParameterSpec>& parameters,
                 int64_t window_elements)
    : gpu_(&stream.device()),
      cpu_(&cpu),
      stream_(stream.handle()),
      room_(room_for(parameters, window_elements)),
      params_here_(parameters.size()),
      gradients_here_(parameters.size()),
      neighbours_(*gpu_, stream_, 2 * parameters.size()),
      fetching_(*gpu_),
      sending_(*gpu_),
      stage_memory_(*gpu_, 2 * kStages * bytes(room_), Place::kHost),
      rows_(cpu, parameters.size() * sizeof(Row)),
      gradients_(cpu, parameters.size() * sizeof(void*)) {
  for (size_t i = 0; i < parameters.size(); ++i) {
    locate_param(i, parameters[i].param);
    locate_gradient(i, parameters[i].gradient);
  }
  float* free = stage_memory_.as<float>();
  for (int i = 0; i < kStages; ++i, free += 2 * room_) {
    stages_.push_back({free, free + room_, EventHandle(*gpu_), EventHandle(*gpu_)});
  }
}

void Offload::locate_param(size_t index, const Located& param) {
  const bool is_here = param.place == Place::kHost;
  params_here_[index] = is_here;
  neighbours_.set(index, is_here ? stream_ : param.stream);
}

void Offload::locate_gradient(size_t index, const Located& gradient) {
  const bool is_here = gradient.place == Place::kHost;
  gradients_here_[index] = is_here;
  neighbours_.set(gradients_here_.size() + index, is_here ? stream_ : gradient.stream);
}

void Offload::copy(void* to, const void* from, size_t bytes, const Launch& launch) const {
  neighbours_.arrive();
  gpu_->copy(to, from, bytes, launch);
  gpu_->wait(launch.stream);
}

void Offload::exchange(float* a, float* b, int64_t count, const Launch& launch) const {
  float* const here = stages_[0].params;
  neighbours_.arrive();
  for (int64_t done = 0; done < count; done += room_) {
    const int64_t part = std::min(count - done, room_);
    gpu_->copy(here, a + done, bytes(part), launch);
    gpu_->wait(launch.stream);
    cpu_->exchange(here, b + done, part, launch);
    gpu_->copy(a + done, here, bytes(part), launch);
    gpu_->wait(launch.stream);
  }
}

void Offload::norms(const Plan& plan, const Launch& launch) const {
  if (!needs_norms(plan.board->policy, plan.board->counters)) return;
  const auto reads = [&](int32_t row) { return Arrays{false, plan.gradients[row] != nullptr}; };
  const auto writes = [](int32_t) { return Arrays{false, false}; };
  walk(plan, launch, reads, writes, [&](const Plan& window) { cpu_->norms(window, launch); });
}

/// What is read and written is what kernels/pass.h loads and stores.
void Offload::update(const Plan& plan, const Launch& launch) const {
  const auto reads = [&](int32_t row) {
    const Work& work = plan.works[row];
    return Arrays{work.action == Action::kUpdate || work.average, work.action != Action::kRest};
  };
  const auto writes = [&](int32_t row) {
    const Work& work = plan.works[row];
    return Arrays{work.action == Action::kUpdate || (work.average && work.overwrite), work.zero_gradient};
  };
  walk(plan, launch, reads, writes, [&](const Plan& window) { cpu_->update(window, launch); });
}

/// Computes on window after window. Returns or throws when no copy is under way any more.
template <class Reads, class Writes, class Compute>
void Offload::walk(const Plan& plan, const Launch& launch, Reads reads, Writes writes, Compute compute) const {
  neighbours_.arrive();
  gpu_->wait(launch.stream);
  try {
    Window next = first_window(plan, room_);
    fetch(plan, next, reads);
    while (!next.empty()) {
      const Window window = next;
      next = next_window(plan, room_, window);
      fetch(plan, next, reads);
      gpu_->wait_for_event(stage_of(window).here.get());
      compute(over(plan, window));
      send(plan, window, writes);
    }
    gpu_->wait(sending_.get());
  } catch (...) {
    settle();
    throw;
  }
}

const Offload::Stage& Offload::stage_of(const Window& window) const {
  return stages_[static_cast<size_t>(window.index % kStages)];
}

template <class Reads>
void Offload::fetch(const Plan& plan, const Window& window, Reads reads) const {
  const Launch launch{0, fetching_.get()};
  gpu_->wait_for_event(stage_of(window).free.get());
  each_staged(plan, window, reads,
              [&](float* here, const float* there, int64_t count) { gpu_->copy(here, there, bytes(count), launch); });
  gpu_->record(stage_of(window).here.get(), launch.stream);
}

template <class Writes>
void Offload::send(const Plan& plan, const Window& window, Writes writes) const {
  const Launch launch{0, sending_.get()};
  each_staged(plan, window, writes,
              [&](const float* here, float* there, int64_t count) { gpu_->copy(there, here, bytes(count), launch); });
  gpu_->record(stage_of(window).free.get(), launch.stream);
}

/// visit(here, there, count) for the parts of the GPU's arrays that are wanted.
template <class Wanted, class Visit>
void Offload::each_staged(const Plan& plan, const Window& window, Wanted wanted, Visit visit) const {
  const Stage& stage = stage_of(window);
  each_piece(plan, window, [&](const Piece& piece) {
    const Arrays arrays = wanted(piece.row);
    const auto visit_part = [&](float* here, void* array) {
      visit(here + piece.place, static_cast<float*>(array) + piece.begin, piece.count);
    };
    if (arrays.param && stages_param(piece.row)) visit_part(stage.params, plan.rows[piece.row].param);
    if (arrays.gradient && stages_gradient(piece.row)) visit_part(stage.gradients, plan.gradients[piece.row]);
  });
}

/// The plan of a window that is here.
Plan Offload::over(const Plan& plan, const Window& window) const {
  const Stage& stage = stage_of(window);
  Row* const rows = rows_.as<Row>();
  void** const gradients = gradients_.as<void*>();
  each_piece(plan, window, [&](const Piece& piece) {
    rows[piece.row] = plan.rows[piece.row];
    gradients[piece.row] = plan.gradients[piece.row];
    if (stages_param(piece.row)) rows[piece.row].param = start_of(stage.params, piece);
    if (stages_gradient(piece.row) && gradients[piece.row] != nullptr) {
      gradients[piece.row] = start_of(stage.gradients, piece);
    }
  });
  Plan part = plan;
  part.rows = rows;
  part.gradients = gradients;
  part.chunks += window.first;
  part.chunk_sums += window.first;
  part.chunk_count = window.end - window.first;
  part.element_count = window.elements;
  return part;
}

/// Waits for the copies under way: the memory they read and write may be freed after an error.
void Offload::settle() const {
  for (void* stream : {fetching_.get(), sending_.get()}) {
    try {
      gpu_->wait(stream);
    } catch (const Error&) {
      // The first error is the one that is reported; a device that is lost has nothing under way.
    }
  }
}

}  // namespace adamw
