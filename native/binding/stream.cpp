#include "stream.h"

#include "async.h"
#include "convert.h"

namespace adamw::binding {

Napi::Function StreamWrap::define(Napi::Env env) {
  return DefineClass(env, "Stream",
                     {
                         InstanceAccessor<&StreamWrap::device>("device"),
                         InstanceAccessor<&StreamWrap::pointer>("pointer"),
                         InstanceMethod<&StreamWrap::synchronize>("synchronize"),
                     });
}

const StreamPointer& StreamWrap::of(const Napi::Value& value) { return Unwrap(value.As<Napi::Object>())->stream_; }

StreamWrap::StreamWrap(Info info) : Napi::ObjectWrap<StreamWrap>(info) {
  guard(info.Env(), [&] {
    const std::string device = info[0].As<Napi::String>().Utf8Value();
    if (info[1].IsBigInt()) {
      stream_ = std::make_shared<Stream>(device, address(info[1]));
    } else {
      const bool own = !info[1].IsUndefined();
      stream_ = std::make_shared<Stream>(device, own ? Stream::Kind::kOwn : Stream::Kind::kDefault);
    }
  });
}

Napi::Value StreamWrap::device(Info info) { return Napi::String::New(info.Env(), stream_->device().name()); }

Napi::Value StreamWrap::pointer(Info info) { return to_bigint(info.Env(), stream_->handle()); }

Napi::Value StreamWrap::synchronize(Info info) {
  guard(info.Env(), [&] { stream_->wait(); });
  return info.Env().Undefined();
}

Napi::Function EventWrap::define(Napi::Env env) {
  return DefineClass(env, "Event",
                     {
                         InstanceAccessor<&EventWrap::done>("done"),
                         InstanceMethod<&EventWrap::synchronize>("synchronize"),
                         InstanceMethod<&EventWrap::synchronize_async>("synchronizeAsync"),
                         InstanceMethod<&EventWrap::hold>("hold"),
                         InstanceMethod<&EventWrap::since>("since"),
                     });
}

EventWrap::EventWrap(Info info) : Napi::ObjectWrap<EventWrap>(info) {
  guard(info.Env(), [&] { event_ = std::make_shared<Event>(StreamWrap::of(info[0])); });
}

Napi::Value EventWrap::done(Info info) {
  return guard(info.Env(), [&] { return Napi::Boolean::New(info.Env(), event_->is_done()); });
}

Napi::Value EventWrap::synchronize(Info info) {
  guard(info.Env(), [&] { event_->wait(); });
  return info.Env().Undefined();
}

Napi::Value EventWrap::synchronize_async(Info) {
  return run_async(
      Value(), [event = event_] { event->wait(); }, [] {});
}

Napi::Value EventWrap::hold(Info info) {
  guard(info.Env(), [&] { event_->hold(*StreamWrap::of(info[0])); });
  return info.Env().Undefined();
}

Napi::Value EventWrap::since(Info info) {
  return guard(info.Env(), [&] {
    const auto& begin = *Unwrap(info[0].As<Napi::Object>())->event_;
    return Napi::Number::New(info.Env(), static_cast<double>(event_->since(begin)));
  });
}

Napi::Function GraphWrap::define(Napi::Env env) {
  return DefineClass(env, "Graph",
                     {
                         InstanceMethod<&GraphWrap::finish>("finish"),
                         InstanceMethod<&GraphWrap::launch>("launch"),
                         InstanceMethod<&GraphWrap::dispose>("dispose"),
                     });
}

GraphWrap::GraphWrap(Info info) : Napi::ObjectWrap<GraphWrap>(info) {
  guard(info.Env(), [&] { graph_ = std::make_unique<Graph>(StreamWrap::of(info[0])); });
}

Napi::Value GraphWrap::finish(Info info) {
  guard(info.Env(), [&] { graph_->finish(); });
  return info.Env().Undefined();
}

Napi::Value GraphWrap::launch(Info info) {
  guard(info.Env(), [&] { graph_->launch(); });
  return info.Env().Undefined();
}

Napi::Value GraphWrap::dispose(Info info) {
  graph_.reset();
  return info.Env().Undefined();
}

}  // namespace adamw::binding
