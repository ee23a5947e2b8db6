#include "optimizer.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "async.h"
#include "convert.h"

namespace adamw::binding {
namespace {

OptimizerSpec spec_from(const Napi::Object& object) {
  OptimizerSpec spec;
  spec.stream = StreamWrap::of(object.Get("stream"));
  spec.threads = object.Get("threads").As<Napi::Number>().Int32Value();
  spec.policy = *block<Policy>(object.Get("policy"));
  spec.loss_scale = object.Get("lossScale").As<Napi::Number>().DoubleValue();
  spec.offload_window = object.Get("offload").ToBoolean() ? Offload::kWindowElements : 0;
  const auto type = [&](const char* of) { return object.Get(of).As<Napi::String>().Utf8Value(); };
  spec.layout = find_layout(type("parameterType"), type("gradientType"));
  const LayoutArrays& arrays = kLayoutArrays.rows[spec.layout];

  const auto parameters = object.Get("parameters").As<Napi::Array>();
  spec.parameters.reserve(parameters.Length());
  for (uint32_t i = 0; i < parameters.Length(); ++i) {
    const auto parameter = parameters.Get(i).As<Napi::Object>();
    const int64_t count = parameter.Get("length").As<Napi::Number>().Int64Value();
    spec.parameters.push_back({optional_elements(parameter.Get("value"), arrays.param, count),
                               optional_elements(parameter.Get("gradient"), arrays.grad, count), count});
  }
  return spec;
}

}  // namespace

Napi::Function OptimizerWrap::define(Napi::Env env) {
  return DefineClass(env, "Optimizer",
                     {
                         InstanceAccessor<&OptimizerWrap::device>("device"),
                         InstanceAccessor<&OptimizerWrap::layout>("layout"),
                         InstanceMethod<&OptimizerWrap::step>("step"),
                         InstanceMethod<&OptimizerWrap::step_async>("stepAsync"),
                         InstanceAccessor<&OptimizerWrap::is_asynchronous>("isAsynchronous"),
                         InstanceMethod<&OptimizerWrap::foresee>("foresee"),
                         InstanceMethod<&OptimizerWrap::issue>("issue"),
                         InstanceMethod<&OptimizerWrap::prepare>("prepare"),
                         InstanceMethod<&OptimizerWrap::launch>("launch"),
                         InstanceMethod<&OptimizerWrap::depart>("depart"),
                         InstanceMethod<&OptimizerWrap::wait>("wait"),
                         InstanceMethod<&OptimizerWrap::wait_async>("waitAsync"),
                         InstanceMethod<&OptimizerWrap::finished>("finished"),
                         InstanceMethod<&OptimizerWrap::take_failure>("takeFailure"),
                         InstanceAccessor<&OptimizerWrap::version>("version"),
                         InstanceAccessor<&OptimizerWrap::loss_scale>("lossScale"),
                         InstanceMethod<&OptimizerWrap::stream_pass>("streamPass"),
                         InstanceMethod<&OptimizerWrap::forget>("forget"),
                         InstanceMethod<&OptimizerWrap::bind>("bind"),
                         InstanceMethod<&OptimizerWrap::assign>("assign"),
                         InstanceMethod<&OptimizerWrap::set_policy>("setPolicy"),
                         InstanceMethod<&OptimizerWrap::counters>("counters"),
                         InstanceMethod<&OptimizerWrap::set_counters>("setCounters"),
                         InstanceMethod<&OptimizerWrap::updates>("updates"),
                         InstanceMethod<&OptimizerWrap::set_updates>("setUpdates"),
                         InstanceMethod<&OptimizerWrap::row_sums>("rowSums"),
                         InstanceMethod<&OptimizerWrap::read_slot>("readSlot"),
                         InstanceMethod<&OptimizerWrap::write_slot>("writeSlot"),
                         InstanceMethod<&OptimizerWrap::lend_slot>("lendSlot"),
                         InstanceMethod<&OptimizerWrap::exchange_ema>("exchangeEma"),
                         InstanceMethod<&OptimizerWrap::apply_ema>("applyEma"),
                         InstanceMethod<&OptimizerWrap::mend>("mend"),
                         InstanceMethod<&OptimizerWrap::dispose>("dispose"),
                     });
}

OptimizerWrap::OptimizerWrap(Info info) : Napi::ObjectWrap<OptimizerWrap>(info) {
  guard(info.Env(), [&] {
    const auto object = info[0].As<Napi::Object>();
    controls_reference_ = Napi::Persistent(object.Get("controls").As<Napi::Object>());
    report_reference_ = Napi::Persistent(object.Get("report").As<Napi::Object>());
    controls_ = block<Controls>(object.Get("controls"));
    report_ = block<Report>(object.Get("report"));
    rates_reference_ = Napi::Persistent(object.Get("rates").As<Napi::Object>());
    rates_ = view<double>(object.Get("rates"));
    optimizer_ = std::make_shared<Optimizer>(spec_from(object));
  });
  external_bytes_ = static_cast<int64_t>(optimizer_->state_bytes());
  Napi::MemoryManagement::AdjustExternalMemory(info.Env(), external_bytes_);
}

void OptimizerWrap::Finalize(Napi::BasicEnv env) {
  Napi::MemoryManagement::AdjustExternalMemory(env, -std::exchange(external_bytes_, 0));
}

Optimizer& OptimizerWrap::optimizer() const {
  if (optimizer_ == nullptr) throw Error("DISPOSED", "The optimizer was disposed");
  return *optimizer_;
}

/// The block of rates, one for each raw step that a step may turn out to be.
Rates* OptimizerWrap::rates() const {
  constexpr size_t kNumbers = Pipeline::kForeseen * sizeof(Rates) / sizeof(double);
  if (rates_.length != kNumbers) throw Error("LENGTH_MISMATCH", "The block of rates has another length");
  return reinterpret_cast<Rates*>(rates_.data);
}

size_t OptimizerWrap::row(const Napi::Value& value) const {
  const int64_t index = value.As<Napi::Number>().Int64Value();
  if (index < 0 || index >= optimizer().size()) throw Error("INVALID_ARGUMENT", "No such parameter");
  return static_cast<size_t>(index);
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
    optimizer().bind_gradient(i, optional_elements(value, kind, optimizer().count(i)));
  }
}

Napi::Value OptimizerWrap::device(Info info) {
  return guard(info.Env(), [&] { return Napi::String::New(info.Env(), optimizer().device().name()); });
}

/// An index into `layouts`.
Napi::Value OptimizerWrap::layout(Info info) {
  return guard(info.Env(), [&] { return Napi::Number::New(info.Env(), optimizer().plan().layout); });
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

Napi::Value OptimizerWrap::is_asynchronous(Info info) {
  return guard(info.Env(), [&] { return Napi::Boolean::New(info.Env(), optimizer().is_asynchronous()); });
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

Napi::Value OptimizerWrap::version(Info info) {
  return guard(info.Env(), [&] { return Napi::Number::New(info.Env(), static_cast<double>(optimizer().version())); });
}

Napi::Value OptimizerWrap::loss_scale(Info info) {
  return guard(info.Env(), [&] { return to_bigint(info.Env(), optimizer().loss_scale()); });
}

Napi::Value OptimizerWrap::stream_pass(Info info) {
  return guard(info.Env(), [&] { return Napi::Boolean::New(info.Env(), optimizer().stream_pass()); });
}

Napi::Value OptimizerWrap::forget(Info info) {
  guard(info.Env(), [&] { optimizer().forget(row(info[0])); });
  return info.Env().Undefined();
}

Napi::Value OptimizerWrap::bind(Info info) {
  guard(info.Env(), [&] {
    const size_t index = row(info[0]);
    const int64_t count = optimizer().count(index);
    if (!info[1].IsUndefined()) {
      optimizer().bind_param(index, optional_elements(info[1], arrays().param, count));
    }
    if (!info[2].IsUndefined()) {
      const Located gradient = optional_elements(info[2], arrays().grad, count);
      optimizer().adopt_gradient(index, gradient);
      optimizer().bind_gradient(index, gradient);
    }
  });
  return info.Env().Undefined();
}

Napi::Value OptimizerWrap::dispose(Info info) {
  optimizer_.reset();
  Napi::MemoryManagement::AdjustExternalMemory(info.Env(), -std::exchange(external_bytes_, 0));
  return info.Env().Undefined();
}

}  // namespace adamw::binding
