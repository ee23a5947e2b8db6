// adamw::Buffer as a JavaScript class.
#pragma once

#include <napi.h>

#include <memory>

#include "engine/buffer.h"

namespace adamw::binding {

class BufferWrap final : public Napi::ObjectWrap<BufferWrap> {
 public:
  static Napi::Function define(Napi::Env env);

  /// (device, bytes, pointer?)
  explicit BufferWrap(const Napi::CallbackInfo& info);
  void Finalize(Napi::BasicEnv env) override;

 private:
  using Info = const Napi::CallbackInfo&;

  Napi::Value device(Info info);
  Napi::Value pointer(Info info);
  Napi::Value read(Info info);
  Napi::Value write(Info info);
  Napi::Value dispose(Info info);

  Buffer& buffer() const;

  std::unique_ptr<Buffer> buffer_;
  int64_t external_bytes_ = 0;
};

}  // namespace adamw::binding
