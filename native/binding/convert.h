// Between JavaScript values and C++ ones. Memory is checked here (type, length); meaning is checked in lib/.
#pragma once

#include <napi.h>

#include <new>
#include <string>

#include "engine/plan.h"
#include "kernels/device.h"
#include "kernels/error.h"

namespace adamw::binding {

/// What belongs to one JavaScript environment (main thread or worker).
struct Environment {
  Napi::FunctionReference error_class;  ///< AdamWError(code, message) of lib/errors.ts
};

inline Napi::Error to_js(Napi::Env env, const Error& error) {
  auto* const environment = env.GetInstanceData<Environment>();
  const auto code = Napi::String::New(env, error.code);
  const auto message = Napi::String::New(env, error.what());
  return Napi::Error(env, environment->error_class.New({code, message}));
}

/// Runs body() and turns our Error into a JavaScript AdamWError.
template <class Body>
auto guard(Napi::Env env, Body&& body) -> decltype(body()) {
  try {
    return body();
  } catch (const Error& error) {
    throw to_js(env, error);
  } catch (const std::bad_alloc&) {
    throw to_js(env, Error("OUT_OF_MEMORY", "The process has too little memory for the optimizer's tables"));
  }
}

/// The kind of typed array that holds such elements, and what to call it.
template <class T>
struct ArrayOf;
template <>
struct ArrayOf<float> {
  static constexpr napi_typedarray_type kType = napi_float32_array;
  static constexpr const char* kName = "Float32Array";
};
template <>
struct ArrayOf<double> {
  static constexpr napi_typedarray_type kType = napi_float64_array;
  static constexpr const char* kName = "Float64Array";
};
template <>
struct ArrayOf<uint8_t> {
  static constexpr napi_typedarray_type kType = napi_uint8_array;
  static constexpr const char* kName = "Uint8Array";
};
template <>
struct ArrayOf<uint64_t> {
  static constexpr napi_typedarray_type kType = napi_biguint64_array;
  static constexpr const char* kName = "BigUint64Array";
};

/// A view of a typed array's memory. It stays valid while the array lives and is not detached.
template <class T>
struct View {
  T* data;
  size_t length;
};

/// Whether `value` is such an array, and then its view.
template <class T>
bool try_view(const Napi::Value& value, View<T>& found) {
  napi_typedarray_type type = napi_int8_array;
  void* data = nullptr;
  const napi_status status =
      napi_get_typedarray_info(value.Env(), value, &type, &found.length, &data, nullptr, nullptr);
  found.data = static_cast<T*>(data);
  return status == napi_ok && type == ArrayOf<T>::kType;
}

template <class T>
View<T> view(const Napi::Value& value) {
  View<T> found{};
  if (try_view(value, found)) return found;
  throw Error("INVALID_ARGUMENT", std::string("Expected a ") + ArrayOf<T>::kName);
}

/// The memory of a view that must have `count` elements.
template <class T>
T* elements(const View<T>& found, int64_t count) {
  if (found.length != static_cast<size_t>(count)) {
    throw Error("LENGTH_MISMATCH", "Expected an array of " + std::to_string(count) + " elements but received " +
                                       std::to_string(found.length));
  }
  return found.data;
}

template <class T>
T* elements(const Napi::Value& value, int64_t count) {
  return elements(view<T>(value), count);
}

/// The address that a BigInt holds.
inline void* address(const Napi::Value& value) {
  bool whole = false;
  if (!value.IsBigInt()) throw Error("INVALID_ARGUMENT", "Expected an address as a BigInt");
  return reinterpret_cast<void*>(static_cast<uintptr_t>(value.As<Napi::BigInt>().Uint64Value(&whole)));
}

inline Napi::BigInt to_bigint(Napi::Env env, const void* pointer) {
  return Napi::BigInt::New(env, static_cast<uint64_t>(reinterpret_cast<uintptr_t>(pointer)));
}

/// Where `length` floats from element `value` on begin, in bytes, within `bytes`.
inline size_t byte_offset(const Napi::Value& value, size_t length, size_t bytes) {
  const int64_t offset = value.As<Napi::Number>().Int64Value();
  const size_t count = bytes / sizeof(float);
  if (offset < 0 || static_cast<size_t>(offset) > count || length > count - static_cast<size_t>(offset)) {
    throw Error("LENGTH_MISMATCH", "The range lies outside the buffer");
  }
  return static_cast<size_t>(offset) * sizeof(float);
}

/// An array's memory, or that of an object with an `address`: pointer and stream (lib/device-buffer.ts checks its
/// length); null for null and undefined. Asks for an array first: of a step's gradients most are there.
inline Located optional_elements(const Napi::Value& value, int64_t count) {
  View<float> found{};
  if (try_view(value, found)) return {elements(found, count), Place::kHost, nullptr};
  if (value.IsNull() || value.IsUndefined()) return {};
  View<uint64_t> words{};
  if (!value.IsObject() || !try_view(value.As<Napi::Object>().Get("address"), words) || words.length != 2) {
    throw Error("INVALID_ARGUMENT", "Expected a Float32Array or a DeviceBuffer");
  }
  const auto pointer = [&](int i) { return reinterpret_cast<void*>(static_cast<uintptr_t>(words.data[i])); };
  return {pointer(0), Place::kDevice, pointer(1)};
}

/// A struct of doubles as the Float64Array it crosses in.
template <class Block>
Block* block(const Napi::Value& value) {
  static_assert(sizeof(Block) % sizeof(double) == 0);
  return reinterpret_cast<Block*>(elements<double>(value, sizeof(Block) / sizeof(double)));
}

}  // namespace adamw::binding
