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

size_t bytes(int64_t count, const TypeInfo& type) { return static_cast<size_t>(count) * type.bytes; }

/// Where the row's element 0 would be, for kernels that count from there.
void* start_of(std::byte* stage, const Piece& piece, const TypeInfo& type) {
  const auto offset = static_cast<uintptr_t>(piece.place - piece.begin) * type.bytes;
  return reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(stage) + offset);
}

}  // namespace

Offload::Offload(const Stream& stream, const Device& cpu, const std::vector<ParameterSpec>& parameters,
                 const LayoutInfo& layout, int64_t window_elements)
    : gpu_(&stream.device()),
      cpu_(&cpu),
      stream_(stream.handle()),
      layout_(layout),
      room_(room_for(parameters, window_elements)),
      params_here_(parameters.size()),
      gradients_here_(parameters.size()),
      neighbours_(*gpu_, stream_, 2 * parameters.size()),
      fetching_(*gpu_),
      sending_(*gpu_),
      stage_memory_(*gpu_, kStages * (bytes(room_, layout.param) + bytes(room_, layout.grad)), Place::kHost),
      rows_(cpu, parameters.size() * sizeof(Row)),
      gradients_(cpu, parameters.size() * sizeof(void*)) {
  for (size_t i = 0; i < parameters.size(); ++i) {
    locate_param(i, parameters[i].param);
    locate_gradient(i, parameters[i].gradient);
  }
  auto* free = stage_memory_.as<std::byte>();
  for (int i = 0; i < kStages; ++i) {
    std::byte* const gradients = free + bytes(room_, layout.param);
    stages_.push_back({free, gradients, EventHandle(*gpu_), EventHandle(*gpu_)});
    free = gradients + bytes(room_, layout.grad);
  }
}

void Offload::locate_param(size_t index, const Located& param) {
  const bool is_here = param.place == Place::kHost;
  neighbours_.set(index, is_here ? stream_ : param.stream);
  params_here_[index] = is_here;
}

void Offload::locate_gradient(size_t index, const Located& gradient) {
  const bool is_here = gradient.place == Place::kHost;
  neighbours_.set(gradients_here_.size() + index, is_here ? stream_ : gradient.stream);
  gradients_here_[index] = is_here;
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

void Offload::apply_ema(const Plan& plan, const Launch& launch) const {
  const auto reads = [](int32_t) { return Arrays{false, false}; };
  const auto writes = [](int32_t) { return Arrays{true, false}; };
  walk(plan, launch, reads, writes, [&](const Plan& window) { cpu_->apply_ema(window, launch); });
}

void Offload::exchange_ema(const Plan& plan, const Launch& launch) const {
  const auto both = [](int32_t) { return Arrays{true, false}; };
  walk(plan, launch, both, both, [&](const Plan& window) { cpu_->exchange_ema(window, launch); });
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
              [&](void* here, const void* there, size_t size) { gpu_->copy(here, there, size, launch); });
  gpu_->record(stage_of(window).here.get(), launch.stream);
}

template <class Writes>
void Offload::send(const Plan& plan, const Window& window, Writes writes) const {
  const Launch launch{0, sending_.get()};
  each_staged(plan, window, writes,
              [&](const void* here, void* there, size_t size) { gpu_->copy(there, here, size, launch); });
  gpu_->record(stage_of(window).free.get(), launch.stream);
}

/// visit(here, there, bytes) for the parts of the GPU's arrays that are wanted.
template <class Wanted, class Visit>
void Offload::each_staged(const Plan& plan, const Window& window, Wanted wanted, Visit visit) const {
  const Stage& stage = stage_of(window);
  each_piece(plan, window, [&](const Piece& piece) {
    const Arrays arrays = wanted(piece.row);
    const auto visit_part = [&](std::byte* here, void* array, const TypeInfo& type) {
      visit(here + bytes(piece.place, type), static_cast<std::byte*>(array) + bytes(piece.begin, type),
            bytes(piece.count, type));
    };
    if (arrays.param && stages_param(piece.row)) visit_part(stage.params, plan.rows[piece.row].param, layout_.param);
    if (arrays.gradient && stages_gradient(piece.row)) {
      visit_part(stage.gradients, plan.gradients[piece.row], layout_.grad);
    }
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
    if (stages_param(piece.row)) rows[piece.row].param = start_of(stage.params, piece, layout_.param);
    if (stages_gradient(piece.row) && gradients[piece.row] != nullptr) {
      gradients[piece.row] = start_of(stage.gradients, piece, layout_.grad);
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
