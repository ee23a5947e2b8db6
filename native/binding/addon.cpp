// Everything the .node file exports, on one screen. lib/native.ts is the typed contract of the same.
#include <napi.h>

#include <memory>

#include "async.h"
#include "buffer.h"
#include "convert.h"
#include "kernels/checksum.h"
#include "kernels/devices.h"
#include "optimizer.h"
#include "rule/hyper.h"
#include "rule/layout.h"
#include "stream.h"

namespace adamw::binding {
namespace {

/// [{ name, kind, model, available, reason }], best first.
Napi::Value list_devices(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  auto list = Napi::Array::New(env);
  for (const Device* device : devices()) {
    const std::string reason = device->unavailable();
    auto entry = Napi::Object::New(env);
    entry["name"] = Napi::String::New(env, device->name());
    entry["kind"] = Napi::String::New(env, device->kind());
    entry["model"] = Napi::String::New(env, reason.empty() ? device->model() : "");
    entry["available"] = Napi::Boolean::New(env, reason.empty());
    entry["reason"] = Napi::String::New(env, reason);
    list[list.Length()] = entry;
  }
  return list;
}

/// (device): { bus, memory, freeMemory, cache, runtime, driver } as kernels/device.h has them.
Napi::Value device_facts(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] {
    const auto env = info.Env();
    const Facts facts = find_device(info[0].As<Napi::String>().Utf8Value()).facts();
    const auto number = [env](auto value) { return Napi::Number::New(env, static_cast<double>(value)); };
    auto result = Napi::Object::New(env);
    result["bus"] = Napi::String::New(env, facts.bus);
    result["memory"] = number(facts.memory);
    result["freeMemory"] = number(facts.free_memory);
    result["cache"] = number(facts.cache);
    result["runtime"] = number(facts.runtime);
    result["driver"] = number(facts.driver);
    return result;
  });
}

/// (device, bytes): an ArrayBuffer that the device copies from and to without staging; freed when nobody sees it any
/// more.
Napi::Value allocate_host(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] {
    const auto bytes = static_cast<size_t>(info[1].As<Napi::Number>().Int64Value());
    auto memory = std::make_unique<Memory>(host_memory(info[0].As<Napi::String>().Utf8Value(), bytes));
    void* const data = memory->as<void>();
    auto buffer = Napi::ArrayBuffer::New(
        info.Env(), data, bytes, [](Napi::BasicEnv, void*, Memory* owner) { delete owner; }, memory.get());
    static_cast<void>(memory.release());
    return buffer;
  });
}

Napi::Value address_of(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] { return to_bigint(info.Env(), bytes_of(info[0]).data); });
}

/// Bytes, and the checksum before them or after them.
struct Summed {
  View<uint8_t> bytes;
  uint32_t sum;
};

/// (bytes, checksum before them): a promise of the checksum after them.
Napi::Value checksum(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] {
    const auto env = info.Env();
    const auto given = std::make_shared<Summed>();
    *given = {view<uint8_t>(info[0]), info[1].As<Napi::Number>().Uint32Value()};
    return run_async(
        info[0].As<Napi::Object>(), [given] { given->sum = crc32(given->bytes.data, given->bytes.length, given->sum); },
        [env, given] { return Napi::Number::New(env, given->sum); });
  });
}

/// (array): takes its memory away from it.
Napi::Value detach(const Napi::CallbackInfo& info) {
  info[0].As<Napi::TypedArray>().ArrayBuffer().Detach();
  return info.Env().Undefined();
}

template <class Block>
Napi::Array field_names(Napi::Env env) {
  auto names = Napi::Array::New(env);
  for (const auto& field : Fields<Block>::kTable) names[names.Length()] = Napi::String::New(env, field.name);
  static_assert(sizeof(Fields<Block>::kTable) / sizeof(Field<Block>) == sizeof(Block) / sizeof(double));
  return names;
}

/// The tables of rule/hyper.h and rule/layout.h: in which order JavaScript packs its blocks, and what the slots are
/// called.
Napi::Object tables(Napi::Env env) {
  auto result = Napi::Object::New(env);
  result["policy"] = field_names<Policy>(env);
  result["setting"] = field_names<Setting>(env);
  result["controls"] = field_names<Controls>(env);
  result["counters"] = field_names<Counters>(env);
  result["report"] = field_names<Report>(env);
  auto slots = Napi::Array::New(env);
  for (const Slot& slot : kSlotTable) slots[slots.Length()] = Napi::String::New(env, slot.name);
  result["slots"] = slots;
  return result;
}

/// [{ parameter, gradient, state }]: the types of rule/layout.h that go together, best first.
Napi::Array layouts(Napi::Env env) {
  auto list = Napi::Array::New(env);
  for (const LayoutInfo& layout : kLayoutTable.rows) {
    auto entry = Napi::Object::New(env);
    entry["parameter"] = Napi::String::New(env, layout.param.name);
    entry["gradient"] = Napi::String::New(env, layout.grad.name);
    entry["state"] = Napi::String::New(env, layout.state.name);
    list[list.Length()] = entry;
  }
  return list;
}

Napi::Value set_error_class(const Napi::CallbackInfo& info) {
  info.Env().GetInstanceData<Environment>()->error_class = Napi::Persistent(info[0].As<Napi::Function>());
  return info.Env().Undefined();
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new Environment);
  exports["setErrorClass"] = Napi::Function::New<set_error_class>(env, "setErrorClass");
  exports["devices"] = Napi::Function::New<list_devices>(env, "devices");
  exports["addressOf"] = Napi::Function::New<address_of>(env, "addressOf");
  exports["checksum"] = Napi::Function::New<checksum>(env, "checksum");
  exports["detach"] = Napi::Function::New<detach>(env, "detach");
  exports["facts"] = Napi::Function::New<device_facts>(env, "facts");
  exports["tables"] = tables(env);
  exports["layouts"] = layouts(env);
  exports["foreseen"] = Napi::Number::New(env, static_cast<double>(Pipeline::kForeseen));
  exports["Stream"] = StreamWrap::define(env);
  exports["Event"] = EventWrap::define(env);
  exports["Graph"] = GraphWrap::define(env);
  exports["Buffer"] = BufferWrap::define(env);
  exports["allocateHost"] = Napi::Function::New<allocate_host>(env, "allocateHost");
  exports["Optimizer"] = OptimizerWrap::define(env);
  return exports;
}

NODE_API_MODULE(fused_adamw, initialize)

}  // namespace
}  // namespace adamw::binding
