// Steps, called from JavaScript: done when the call returns, off the event loop, or issued ahead.
#include <algorithm>
#include <cstddef>

#include "async.h"
#include "convert.h"
#include "optimizer.h"

namespace adamw::binding {

/// The block of rates, one for each raw step that a step may turn out to be.
Rates* OptimizerWrap::rates() const {
  constexpr size_t kNumbers = Pipeline::kForeseen * sizeof(Rates) / sizeof(double);
  if (rates_.length != kNumbers) throw Error("LENGTH_MISMATCH", "The block of rates has another length");
  return reinterpret_cast<Rates*>(rates_.data);
}

/// Binds this step's gradients, one per parameter, as arguments or as the elements of one array; no arguments leave
/// those that are bound.
void OptimizerWrap::bind_gradients(Info info) {
  const bool is_list = info.Length() == 1 && info[0].IsArray();
  const auto length = is_list ? info[0].As<Napi::Array>().Length() : info.Length();
  if (length == 0 && !is_list) return;
  if (length != static_cast<uint64_t>(optimizer().size())) {
    throw Error("LENGTH_MISMATCH", "Expected one gradient per parameter");
  }
  const ArrayKind kind = arrays().grad;
  for (uint32_t i = 0; i < length; ++i) {
    const Napi::Value value = is_list ? info[0].As<Napi::Array>().Get(i) : info[i];
    optimizer().bind_gradient(i, optional_gradient(value, kind, optimizer().count(i)));
  }
}

Napi::Value OptimizerWrap::step(Info info) {
  guard(info.Env(), [&] {
    bind_gradients(info);
    *report_ = optimizer().step(*controls_);
  });
  return info.Env().Undefined();
}

Napi::Value OptimizerWrap::step_async(Info info) {
  return guard(info.Env(), [&] {
    bind_gradients(info);
    Optimizer* const target = &optimizer();
    const Controls controls = *controls_;
    return run_async(
        Value(), [target, controls] { target->step(controls); }, [this, target] { *report_ = target->report(); });
  });
}

/// Writes the raw steps that the next one may be to the block of rates; their count.
Napi::Value OptimizerWrap::foresee(Info info) {
  return guard(info.Env(), [&] {
    const AheadStepper::Span span = optimizer().ahead().foresee();
    for (int64_t i = 0; i < span.count; ++i) rates()[i].step = static_cast<double>(span.first + i);
    foreseen_ = span.count;
    return Napi::Number::New(info.Env(), static_cast<double>(span.count));
  });
}

Napi::Value OptimizerWrap::issue(Info info) {
  guard(info.Env(), [&] {
    bind_gradients(info);
    optimizer().ahead().issue(controls_->gradient_scale, rates(), foreseen_);
  });
  return info.Env().Undefined();
}

Napi::Value OptimizerWrap::prepare(Info info) {
  guard(info.Env(), [&] {
    bind_gradients(info);
    optimizer().ahead().prepare(controls_->gradient_scale, rates(), foreseen_);
  });
  return info.Env().Undefined();
}

Napi::Value OptimizerWrap::launch(Info info) {
  guard(info.Env(), [&] { optimizer().ahead().launch(); });
  return info.Env().Undefined();
}

Napi::Value OptimizerWrap::depart(Info info) {
  guard(info.Env(), [&] { optimizer().ahead().depart(); });
  return info.Env().Undefined();
}

Napi::Value OptimizerWrap::release_gradients(Info info) {
  guard(info.Env(), [&] { optimizer().ahead().release_gradients(); });
  return info.Env().Undefined();
}

Napi::Value OptimizerWrap::wait(Info info) {
  guard(info.Env(), [&] {
    optimizer().wait();
    *report_ = optimizer().report();
  });
  return info.Env().Undefined();
}

Napi::Value OptimizerWrap::wait_async(Info info) {
  return guard(info.Env(), [&] {
    Optimizer* const target = &optimizer();
    return run_async(
        Value(), [target] { target->wait(); }, [this, target] { *report_ = target->report(); });
  });
}

/// Steps known to be done; the report is of the newest.
Napi::Value OptimizerWrap::finished(Info info) {
  return guard(info.Env(), [&] {
    const int64_t finished = optimizer().ahead().finished();
    *report_ = optimizer().report();
    return Napi::Number::New(info.Env(), static_cast<double>(finished));
  });
}

/// (report, row sums): what the first step that ended in an error left; false: none did.
Napi::Value OptimizerWrap::take_failure(Info info) {
  return guard(info.Env(), [&] {
    const auto failure = optimizer().ahead().take_failure();
    if (failure != nullptr) {
      *block<Report>(info[0]) = failure->report;
      std::copy(failure->row_sums.begin(), failure->row_sums.end(), elements<double>(info[1], optimizer().size()));
    }
    return Napi::Boolean::New(info.Env(), failure != nullptr);
  });
}

Napi::Value OptimizerWrap::stream_pass(Info info) {
  return guard(info.Env(), [&] { return Napi::Boolean::New(info.Env(), optimizer().stream_pass()); });
}

}  // namespace adamw::binding
