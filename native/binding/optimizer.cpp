#include "optimizer.h"

#include <cstddef>
#include <utility>

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
                         InstanceMethod<&OptimizerWrap::release_gradients>("releaseGradients"),
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

size_t OptimizerWrap::row(const Napi::Value& value) const {
  const int64_t index = value.As<Napi::Number>().Int64Value();
  if (index < 0 || index >= optimizer().size()) throw Error("INVALID_ARGUMENT", "No such parameter");
  return static_cast<size_t>(index);
}

Napi::Value OptimizerWrap::device(Info info) {
  return guard(info.Env(), [&] { return Napi::String::New(info.Env(), optimizer().device().name()); });
}

/// An index into `layouts`.
Napi::Value OptimizerWrap::layout(Info info) {
  return guard(info.Env(), [&] { return Napi::Number::New(info.Env(), optimizer().plan().layout); });
}

Napi::Value OptimizerWrap::is_asynchronous(Info info) {
  return guard(info.Env(), [&] { return Napi::Boolean::New(info.Env(), optimizer().is_asynchronous()); });
}

Napi::Value OptimizerWrap::version(Info info) {
  return guard(info.Env(), [&] { return Napi::Number::New(info.Env(), static_cast<double>(optimizer().version())); });
}

Napi::Value OptimizerWrap::loss_scale(Info info) {
  return guard(info.Env(), [&] { return to_bigint(info.Env(), optimizer().loss_scale()); });
}

Napi::Value OptimizerWrap::forget(Info info) {
  guard(info.Env(), [&] { optimizer().forget(row(info[0])); });
  return info.Env().Undefined();
}

Napi::Value OptimizerWrap::bind(Info info) {
  guard(info.Env(), [&] {
    const size_t index = row(info[0]);
    const int64_t count = optimizer().count(index);
    const Located param = optional_elements(info[1], arrays().param, count);
    const Located gradient = optional_elements(info[2], arrays().grad, count);
    // The gradient first: where it fails the parameter is still the old one, and where the parameter does, the next
    // step binds all gradients anew.
    if (!info[2].IsUndefined()) {
      optimizer().adopt_gradient(index, gradient);
      optimizer().bind_gradient(index, gradient);
    }
    if (!info[1].IsUndefined()) optimizer().bind_param(index, param);
  });
  return info.Env().Undefined();
}

Napi::Value OptimizerWrap::dispose(Info info) {
  optimizer_.reset();
  Napi::MemoryManagement::AdjustExternalMemory(info.Env(), -std::exchange(external_bytes_, 0));
  return info.Env().Undefined();
}

}  // namespace adamw::binding
