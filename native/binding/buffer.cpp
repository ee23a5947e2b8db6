#include "buffer.h"

#include <utility>

#include "convert.h"

namespace adamw::binding {

Napi::Function BufferWrap::define(Napi::Env env) {
  return DefineClass(env, "Buffer",
                     {
                         InstanceAccessor<&BufferWrap::device>("device"),
                         InstanceAccessor<&BufferWrap::pointer>("pointer"),
                         InstanceMethod<&BufferWrap::read>("read"),
                         InstanceMethod<&BufferWrap::write>("write"),
                         InstanceMethod<&BufferWrap::dispose>("dispose"),
                     });
}

BufferWrap::BufferWrap(Info info) : Napi::ObjectWrap<BufferWrap>(info) {
  guard(info.Env(), [&] {
    const std::string device = info[0].As<Napi::String>().Utf8Value();
    const auto bytes = static_cast<size_t>(info[1].As<Napi::Number>().Int64Value());
    buffer_ = info[2].IsUndefined() ? std::make_unique<Buffer>(device, bytes)
                                    : std::make_unique<Buffer>(device, bytes, address(info[2]));
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

Napi::Value BufferWrap::device(Info info) {
  return guard(info.Env(), [&] { return Napi::String::New(info.Env(), buffer().device().name()); });
}

Napi::Value BufferWrap::pointer(Info info) {
  return guard(info.Env(), [&] {
    return Napi::BigInt::New(info.Env(), static_cast<uint64_t>(reinterpret_cast<uintptr_t>(buffer().data())));
  });
}

Napi::Value BufferWrap::read(Info info) {
  guard(info.Env(), [&] {
    const auto array = view<float>(info[0]);
    buffer().read(array.data, byte_offset(info[1], array.length, buffer().bytes()), array.length * sizeof(float));
  });
  return info[0];
}

Napi::Value BufferWrap::write(Info info) {
  guard(info.Env(), [&] {
    const auto array = view<float>(info[0]);
    buffer().write(array.data, byte_offset(info[1], array.length, buffer().bytes()), array.length * sizeof(float));
  });
  return info.Env().Undefined();
}

Napi::Value BufferWrap::dispose(Info info) {
  buffer_.reset();
  Napi::MemoryManagement::AdjustExternalMemory(info.Env(), -std::exchange(external_bytes_, 0));
  return info.Env().Undefined();
}

}  // namespace adamw::binding
