#include "buffer.h"

#include <utility>

#include "async.h"
#include "convert.h"

namespace adamw::binding {

Napi::Function BufferWrap::define(Napi::Env env) {
  return DefineClass(env, "Buffer",
                     {
                         InstanceAccessor<&BufferWrap::pointer>("pointer"),
                         InstanceMethod<&BufferWrap::read>("read"),
                         InstanceMethod<&BufferWrap::write>("write"),
                         InstanceMethod<&BufferWrap::read_async>("readAsync"),
                         InstanceMethod<&BufferWrap::write_async>("writeAsync"),
                         InstanceMethod<&BufferWrap::fill>("fill"),
                         InstanceMethod<&BufferWrap::copy_from>("copyFrom"),
                         InstanceMethod<&BufferWrap::share>("share"),
                         InstanceMethod<&BufferWrap::dispose>("dispose"),
                     });
}

BufferWrap::BufferWrap(Info info) : Napi::ObjectWrap<BufferWrap>(info) {
  guard(info.Env(), [&] {
    const StreamPointer& stream = StreamWrap::of(info[0]);
    const auto bytes = static_cast<size_t>(info[1].As<Napi::Number>().Int64Value());
    if (info[2].IsBigInt()) {
      buffer_ = std::make_unique<Buffer>(stream, bytes, address(info[2]));
    } else if (info[2].IsTypedArray()) {
      const auto name = view<uint8_t>(info[2]);
      buffer_ = std::make_unique<Buffer>(stream, bytes, std::string(name.data, name.data + name.length));
    } else {
      buffer_ = std::make_unique<Buffer>(stream, bytes, !info[2].IsUndefined());
    }
  });
  external_bytes_ = static_cast<int64_t>(buffer_->owned_bytes());
  Napi::MemoryManagement::AdjustExternalMemory(info.Env(), external_bytes_);
}

void BufferWrap::Finalize(Napi::BasicEnv env) {
  Napi::MemoryManagement::AdjustExternalMemory(env, -std::exchange(external_bytes_, 0));
}

Buffer& BufferWrap::buffer() const {
  if (buffer_ == nullptr) throw Error("DISPOSED", "The buffer was disposed");
  return *buffer_;
}

Napi::Value BufferWrap::pointer(Info info) {
  return guard(info.Env(), [&] { return to_bigint(info.Env(), buffer().data()); });
}

/// (array, offset): the bytes from `offset` on that the array covers.
BufferWrap::Part BufferWrap::part(Info info) const {
  const Bytes array = bytes_of(info[0]);
  return {array.data, byte_offset(info[1], array.length, buffer().bytes()), array.length};
}

Napi::Value BufferWrap::read(Info info) {
  guard(info.Env(), [&] {
    const Part part = this->part(info);
    buffer().read(part.host, part.offset, part.bytes);
  });
  return info[0];
}

Napi::Value BufferWrap::write(Info info) {
  guard(info.Env(), [&] {
    const Part part = this->part(info);
    buffer().write(part.host, part.offset, part.bytes);
  });
  return info.Env().Undefined();
}

Napi::Value BufferWrap::read_async(Info info) {
  return guard(info.Env(), [&] {
    const Part part = this->part(info);
    return finish_later(info, buffer().start_read(part.host, part.offset, part.bytes));
  });
}

Napi::Value BufferWrap::write_async(Info info) {
  return guard(info.Env(), [&] {
    const Part part = this->part(info);
    return finish_later(info, buffer().start_write(part.host, part.offset, part.bytes));
  });
}

Napi::Value BufferWrap::finish_later(Info info, std::unique_ptr<Transfer> transfer) {
  const std::shared_ptr<Transfer> shared(std::move(transfer));
  const auto array = std::make_shared<Napi::ObjectReference>(Napi::Persistent(info[0].As<Napi::Object>()));
  return run_async(
      Value(), [shared] { shared->finish(); }, [array] {});
}

/// (array of one element, offset, count)
Napi::Value BufferWrap::fill(Info info) {
  guard(info.Env(), [&] {
    const Bytes array = bytes_of(info[0]);
    if (array.length != array.element) throw Error("LENGTH_MISMATCH", "Expected an array of one element");
    const int64_t count = info[2].As<Napi::Number>().Int64Value();
    const size_t offset = byte_offset(info[1], static_cast<size_t>(count) * array.element, buffer().bytes());
    buffer().fill(array.data, array.element, offset, count);
  });
  return info.Env().Undefined();
}

/// (other, its offset, offset, bytes)
Napi::Value BufferWrap::copy_from(Info info) {
  guard(info.Env(), [&] {
    const Buffer& other = Unwrap(info[0].As<Napi::Object>())->buffer();
    const auto bytes = static_cast<size_t>(info[3].As<Napi::Number>().Int64Value());
    buffer().copy_from(other, byte_offset(info[1], bytes, other.bytes()), byte_offset(info[2], bytes, buffer().bytes()),
                       bytes);
  });
  return info.Env().Undefined();
}

Napi::Value BufferWrap::share(Info info) {
  return guard(info.Env(), [&] {
    const std::string name = buffer().share();
    return Napi::Buffer<char>::Copy(info.Env(), name.data(), name.size());
  });
}

Napi::Value BufferWrap::dispose(Info info) {
  buffer_.reset();
  Napi::MemoryManagement::AdjustExternalMemory(info.Env(), -std::exchange(external_bytes_, 0));
  return info.Env().Undefined();
}

}  // namespace adamw::binding
