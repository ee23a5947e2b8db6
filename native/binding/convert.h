// Between JavaScript values and C++ ones. Memory is checked here (type and length; of a step's gradients the length);
// meaning is checked in lib/.
#pragma once

#include <napi.h>

#include <new>
#include <string>

#include "engine/plan.h"
#include "kernels/device.h"
#include "kernels/error.h"
#include "rule/layout.h"

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

/// The kind of typed array that holds such elements, and what to call it. Storage types that JavaScript has no numbers
/// for are held as the bits they are.
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
struct ArrayOf<uint16_t> {
  static constexpr napi_typedarray_type kType = napi_uint16_array;
  static constexpr const char* kName = "Uint16Array";
};
template <>
struct ArrayOf<uint64_t> {
  static constexpr napi_typedarray_type kType = napi_biguint64_array;
  static constexpr const char* kName = "BigUint64Array";
};

/// The same at run time.
struct ArrayKind {
  napi_typedarray_type type;
  const char* name;
};

template <class T>
constexpr ArrayKind array_of() {
  return {ArrayOf<T>::kType, ArrayOf<T>::kName};
}

/// The arrays of one of Layouts.
struct LayoutArrays {
  ArrayKind param;
  ArrayKind grad;
  ArrayKind state;
};

struct LayoutArraysTable {
  LayoutArrays rows[Layouts::kSize];
};

template <class... Items>
constexpr LayoutArraysTable arrays_of_all(TypeList<Items...>) {
  return {{{array_of<typename Items::Param::Storage>(), array_of<typename Items::Grad::Storage>(),
            array_of<typename Items::State::Storage>()}...}};
}

constexpr LayoutArraysTable kLayoutArrays = arrays_of_all(Layouts{});

/// A view of a typed array's memory. It stays valid while the array lives and is not detached.
template <class T>
struct View {
  T* data;
  size_t length;
};

/// Whether `value` is such an array, and then its view.
inline bool try_view(const Napi::Value& value, const ArrayKind& kind, View<void>& found) {
  napi_typedarray_type type = napi_int8_array;
  const napi_status status =
      napi_get_typedarray_info(value.Env(), value, &type, &found.length, &found.data, nullptr, nullptr);
  return status == napi_ok && type == kind.type;
}

inline View<void> view(const Napi::Value& value, const ArrayKind& kind) {
  View<void> found{};
  if (try_view(value, kind, found)) return found;
  throw Error("INVALID_ARGUMENT", std::string("Expected a ") + kind.name);
}

template <class T>
View<T> view(const Napi::Value& value) {
  const View<void> found = view(value, array_of<T>());
  return {static_cast<T*>(found.data), found.length};
}

/// The bytes of a typed array of any kind, and of one of its elements.
struct Bytes {
  void* data;
  size_t length;
  size_t element;
};

inline Bytes bytes_of(const Napi::Value& value) {
  if (!value.IsTypedArray()) throw Error("INVALID_ARGUMENT", "Expected a typed array");
  const auto array = value.As<Napi::TypedArray>();
  void* data = nullptr;
  napi_get_typedarray_info(value.Env(), value, nullptr, nullptr, &data, nullptr, nullptr);
  return {data, array.ByteLength(), array.ElementSize()};
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

/// The offset that `value` is, of `length` bytes from there on within `bytes`.
inline size_t byte_offset(const Napi::Value& value, size_t length, size_t bytes) {
  const int64_t offset = value.As<Napi::Number>().Int64Value();
  if (offset < 0 || static_cast<size_t>(offset) > bytes || length > bytes - static_cast<size_t>(offset)) {
    throw Error("LENGTH_MISMATCH", "The range lies outside the buffer");
  }
  return static_cast<size_t>(offset);
}

/// The memory of an object with an `address`: pointer and stream (lib/memory.ts checks its type and length); null for
/// null and undefined.
inline Located optional_buffer(const Napi::Value& value, const ArrayKind& kind) {
  if (value.IsNull() || value.IsUndefined()) return {};
  View<void> words{};
  if (!value.IsObject() || !try_view(value.As<Napi::Object>().Get("address"), array_of<uint64_t>(), words) ||
      words.length != 2) {
    throw Error("INVALID_ARGUMENT", std::string("Expected a ") + kind.name + " or a DeviceBuffer");
  }
  const auto pointer = [&](int i) {
    return reinterpret_cast<void*>(static_cast<uintptr_t>(static_cast<const uint64_t*>(words.data)[i]));
  };
  return {pointer(0), Place::kDevice, pointer(1)};
}

/// An array's memory, or that of a buffer.
inline Located optional_elements(const Napi::Value& value, const ArrayKind& kind, int64_t count) {
  View<void> found{};
  if (try_view(value, kind, found)) return {elements(found, count), Place::kHost, nullptr};
  return optional_buffer(value, kind);
}

/// The same for a gradient of a step, whose type lib/ has checked, at the call where it is passed, else when it was
/// bound: asking for it once more takes 20 of the 51 ns that passing an array does (Node 20, Zen 5), since Node-API
/// tries one type after the other.
inline Located optional_gradient(const Napi::Value& value, const ArrayKind& kind, int64_t count) {
  View<void> found{};
  const napi_status status =
      napi_get_typedarray_info(value.Env(), value, nullptr, &found.length, &found.data, nullptr, nullptr);
  if (status == napi_ok) return {elements(found, count), Place::kHost, nullptr};
  return optional_buffer(value, kind);
}

/// A struct of doubles as the Float64Array it crosses in.
template <class Block>
Block* block(const Napi::Value& value) {
  static_assert(sizeof(Block) % sizeof(double) == 0);
  return reinterpret_cast<Block*>(elements<double>(value, sizeof(Block) / sizeof(double)));
}

}  // namespace adamw::binding
