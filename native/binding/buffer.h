// adamw::Buffer as a JavaScript class.
#pragma once

#include <napi.h>

#include <memory>

#include "engine/buffer.h"
#include "stream.h"

namespace adamw::binding {

class BufferWrap final : public Napi::ObjectWrap<BufferWrap> {
 public:
  static Napi::Function define(Napi::Env env);

  /// (stream, bytes): zeroed memory; (stream, bytes, true): that can be shared; (stream, bytes, bigint): memory at an
  /// address; (stream, bytes, Uint8Array): memory that another process shares under this name.
  explicit BufferWrap(Info info);
  void Finalize(Napi::BasicEnv env) override;

 private:
  Napi::Value pointer(Info info);
  Napi::Value read(Info info);
  Napi::Value write(Info info);
  Napi::Value read_async(Info info);
  Napi::Value write_async(Info info);
  Napi::Value fill(Info info);
  Napi::Value copy_from(Info info);
  Napi::Value share(Info info);
  Napi::Value dispose(Info info);

  Buffer& buffer() const;
  /// Bytes of the buffer, and the host memory they come from or go to.
  struct Part {
    void* host;
    size_t offset;
    size_t bytes;
  };
  Part part(Info info) const;
  /// A promise for the end of a transfer that keeps this and the array until then.
  Napi::Value finish_later(Info info, std::unique_ptr<Transfer> transfer);

  std::unique_ptr<Buffer> buffer_;
  int64_t external_bytes_ = 0;
};

}  // namespace adamw::binding
