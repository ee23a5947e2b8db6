// adamw::Optimizer as a JavaScript class: its life and memory, what it keeps (optimizer_state.cpp), and its steps
// (optimizer_steps.cpp).
#pragma once

#include <napi.h>

#include <memory>

#include "convert.h"
#include "engine/optimizer.h"
#include "stream.h"

namespace adamw::binding {

class OptimizerWrap final : public Napi::ObjectWrap<OptimizerWrap> {
 public:
  static Napi::Function define(Napi::Env env);

  explicit OptimizerWrap(Info info);
  void Finalize(Napi::BasicEnv env) override;

 private:
  Napi::Value device(Info info);
  Napi::Value layout(Info info);
  Napi::Value is_asynchronous(Info info);
  Napi::Value step(Info info);
  Napi::Value step_async(Info info);
  Napi::Value foresee(Info info);
  Napi::Value issue(Info info);
  Napi::Value prepare(Info info);
  Napi::Value launch(Info info);
  Napi::Value depart(Info info);
  Napi::Value release_gradients(Info info);
  Napi::Value wait(Info info);
  Napi::Value wait_async(Info info);
  Napi::Value finished(Info info);
  Napi::Value take_failure(Info info);
  Napi::Value version(Info info);
  Napi::Value loss_scale(Info info);
  Napi::Value stream_pass(Info info);
  Napi::Value forget(Info info);
  Napi::Value bind(Info info);
  Napi::Value assign(Info info);
  Napi::Value set_policy(Info info);
  Napi::Value counters(Info info);
  Napi::Value set_counters(Info info);
  Napi::Value updates(Info info);
  Napi::Value set_updates(Info info);
  Napi::Value row_sums(Info info);
  Napi::Value read_slot(Info info);
  Napi::Value write_slot(Info info);
  Napi::Value lend_slot(Info info);
  Napi::Value exchange_ema(Info info);
  Napi::Value apply_ema(Info info);
  Napi::Value mend(Info info);
  Napi::Value dispose(Info info);

  Optimizer& optimizer() const {
    if (optimizer_ == nullptr) throw Error("DISPOSED", "The optimizer was disposed");
    return *optimizer_;
  }
  /// How its arrays are held.
  const LayoutArrays& arrays() const { return kLayoutArrays.rows[optimizer().plan().layout]; }
  Rates* rates() const;
  size_t row(const Napi::Value& value) const;
  SlotIndex slot(size_t row, const Napi::Value& value) const;
  /// Elements of a slot, and the array they come from or go to.
  struct SlotRange {
    size_t index;
    SlotIndex slot;
    int64_t offset;
    int64_t count;
    void* memory;
  };
  SlotRange slot_range(Info info) const;
  void bind_gradients(Info info);

  std::shared_ptr<Optimizer> optimizer_;  ///< also of the slots that are lent
  // Blocks that JavaScript writes before a step and reads after it; the references keep their memory.
  Napi::ObjectReference controls_reference_;
  Napi::ObjectReference report_reference_;
  Napi::ObjectReference rates_reference_;
  Controls* controls_ = nullptr;
  View<double> rates_{};
  int64_t foreseen_ = 0;  ///< rates that the newest foresee() asked for
  Report* report_ = nullptr;
  int64_t external_bytes_ = 0;
};

}  // namespace adamw::binding
