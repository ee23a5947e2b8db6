// What an optimizer keeps, read and set from JavaScript: settings, counts, slots, averages.
#include <algorithm>
#include <cstddef>
#include <utility>

#include "convert.h"
#include "optimizer.h"

namespace adamw::binding {
namespace {

void check_range(int64_t offset, int64_t count, int64_t all) {
  if (offset < 0 || offset > all || count < 0 || count > all - offset) {
    throw Error("LENGTH_MISMATCH", "The range lies outside the slot");
  }
}

}  // namespace

SlotIndex OptimizerWrap::slot(size_t row, const Napi::Value& value) const {
  const int32_t index = value.As<Napi::Number>().Int32Value();
  if (index < 0 || index >= kSlots || optimizer().slot(row, static_cast<SlotIndex>(index)) == nullptr) {
    throw Error("INVALID_ARGUMENT", "The optimizer keeps no such slot");
  }
  return static_cast<SlotIndex>(index);
}

/// (parameter, slot, array): the whole slot; (parameter, slot, array, offset): the elements from `offset` on that the
/// array covers.
OptimizerWrap::SlotRange OptimizerWrap::slot_range(Info info) const {
  const size_t index = row(info[0]);
  const SlotIndex which = slot(index, info[1]);
  const int64_t count = optimizer().count(index);
  const View<void> part = view(info[2], arrays().state);
  if (info[3].IsUndefined()) return {index, which, 0, count, elements(part, count)};
  const int64_t offset = info[3].As<Napi::Number>().Int64Value();
  check_range(offset, static_cast<int64_t>(part.length), count);
  return {index, which, offset, static_cast<int64_t>(part.length), part.data};
}

Napi::Value OptimizerWrap::assign(Info info) {
  guard(info.Env(), [&] {
    const auto settings = view<double>(info[0]);
    const auto assignment = view<double>(info[1]);
    const auto* const first = reinterpret_cast<const Setting*>(settings.data);
    optimizer().assign({first, first + settings.length * sizeof(double) / sizeof(Setting)},
                       {assignment.data, assignment.data + assignment.length});
  });
  return info.Env().Undefined();
}

Napi::Value OptimizerWrap::set_policy(Info info) {
  guard(info.Env(), [&] { optimizer().set_policy(*block<Policy>(info[0])); });
  return info.Env().Undefined();
}

Napi::Value OptimizerWrap::counters(Info info) {
  guard(info.Env(), [&] { *block<Counters>(info[0]) = optimizer().counters(); });
  return info[0];
}

Napi::Value OptimizerWrap::set_counters(Info info) {
  guard(info.Env(), [&] { optimizer().set_counters(*block<Counters>(info[0])); });
  return info.Env().Undefined();
}

Napi::Value OptimizerWrap::updates(Info info) {
  guard(info.Env(), [&] {
    const int64_t size = optimizer().size();
    std::copy_n(optimizer().updates(), size, elements<double>(info[0], size));
  });
  return info[0];
}

Napi::Value OptimizerWrap::set_updates(Info info) {
  guard(info.Env(), [&] { optimizer().set_updates(elements<double>(info[0], optimizer().size())); });
  return info.Env().Undefined();
}

Napi::Value OptimizerWrap::row_sums(Info info) {
  guard(info.Env(), [&] {
    const int64_t size = optimizer().size();
    std::copy_n(optimizer().row_sums(), size, elements<double>(info[0], size));
  });
  return info[0];
}

Napi::Value OptimizerWrap::read_slot(Info info) {
  guard(info.Env(), [&] {
    const SlotRange range = slot_range(info);
    optimizer().read_slot(range.index, range.slot, range.offset, range.count, range.memory);
  });
  return info[2];
}

Napi::Value OptimizerWrap::write_slot(Info info) {
  guard(info.Env(), [&] {
    const SlotRange range = slot_range(info);
    optimizer().write_slot(range.index, range.slot, range.offset, range.count, range.memory);
  });
  return info.Env().Undefined();
}

/// (parameter, slot, offset, count): elements of the slot themselves as an array, where the host reaches them and
/// JavaScript may have memory of others.
Napi::Value OptimizerWrap::lend_slot(Info info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    const size_t index = row(info[0]);
    void* const data = optimizer().slot(index, slot(index, info[1]));
    const int64_t offset = info[2].As<Napi::Number>().Int64Value();
    const int64_t count = info[3].As<Napi::Number>().Int64Value();
    check_range(offset, count, optimizer().count(index));
    if (optimizer().is_asynchronous() || count == 0) return info.Env().Undefined();
    using Owner = std::shared_ptr<Optimizer>;
    auto owner = std::make_unique<Owner>(optimizer_);
    const auto release = [](napi_env, void*, void* hint) { delete static_cast<Owner*>(hint); };
    const size_t width = optimizer().layout().state.bytes;
    napi_value buffer = nullptr;
    const napi_status status = napi_create_external_arraybuffer(
        info.Env(), static_cast<std::byte*>(data) + static_cast<size_t>(offset) * width,
        static_cast<size_t>(count) * width, release, owner.get(), &buffer);
    // Of any other failure nobody says whether the owner was released already.
    if (status != napi_no_external_buffers_allowed) static_cast<void>(owner.release());
    if (status != napi_ok) {
      if (info.Env().IsExceptionPending()) info.Env().GetAndClearPendingException();
      return info.Env().Undefined();
    }
    napi_value array = nullptr;
    napi_create_typedarray(info.Env(), arrays().state.type, static_cast<size_t>(count), buffer, 0, &array);
    return {info.Env(), array};
  });
}

Napi::Value OptimizerWrap::exchange_ema(Info info) {
  guard(info.Env(), [&] { optimizer().exchange_ema(); });
  return info.Env().Undefined();
}

Napi::Value OptimizerWrap::apply_ema(Info info) {
  guard(info.Env(), [&] { optimizer().apply_ema(); });
  return info.Env().Undefined();
}

Napi::Value OptimizerWrap::mend(Info info) {
  guard(info.Env(), [&] { optimizer().mend(); });
  return info.Env().Undefined();
}

}  // namespace adamw::binding
