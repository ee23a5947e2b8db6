// adamw::Stream, Event and Graph as JavaScript classes.
#pragma once

#include <napi.h>

#include <memory>

#include "engine/stream.h"

namespace adamw::binding {

using Info = const Napi::CallbackInfo&;

class StreamWrap final : public Napi::ObjectWrap<StreamWrap> {
 public:
  static Napi::Function define(Napi::Env env);
  /// The stream of such an object.
  static const StreamPointer& of(const Napi::Value& value);

  /// (device): its default stream; (device, true): a new one; (device, bigint): one that another library made.
  explicit StreamWrap(Info info);

 private:
  Napi::Value device(Info info);
  Napi::Value pointer(Info info);
  Napi::Value synchronize(Info info);

  StreamPointer stream_;
};

class EventWrap final : public Napi::ObjectWrap<EventWrap> {
 public:
  static Napi::Function define(Napi::Env env);

  /// (stream): a mark after what is on it now.
  explicit EventWrap(Info info);

 private:
  Napi::Value done(Info info);
  Napi::Value synchronize(Info info);
  Napi::Value synchronize_async(Info info);
  Napi::Value hold(Info info);
  Napi::Value since(Info info);

  std::shared_ptr<Event> event_;
};

class GraphWrap final : public Napi::ObjectWrap<GraphWrap> {
 public:
  static Napi::Function define(Napi::Env env);

  /// (stream): begins to capture it.
  explicit GraphWrap(Info info);

 private:
  Napi::Value finish(Info info);
  Napi::Value launch(Info info);
  Napi::Value dispose(Info info);

  std::unique_ptr<Graph> graph_;
};

}  // namespace adamw::binding
