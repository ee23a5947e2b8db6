// State in host memory, parameters and gradients on a GPU: the bits of cpu:scalar, no byte moved in vain, and errors
// that leave nothing behind.
#include <algorithm>
#include <cmath>

#include "conformance.h"
#include "kernels/devices.h"
#include "kernels/error.h"
#include "late_cuda.h"

namespace {

using namespace conformance;
using late::log;
using model::Model;

const std::string kDevice = "cuda:late";
const Controls kControls{0.01, 0.1, 1.0};

/// A model of several windows, its arrays filled with numbers > 0: second moments have roots then.
struct Filled : Model {
  explicit Filled(const Recipe& recipe, model::Offloading offloading = {kChunkLength, false})
      : Model(recipe, kDevice, 1, offloading) {
    uint32_t seed = 0;
    each_array([&](const char*, size_t, float* data, int64_t count) {
      fill(data, count, ++seed, 0);
      std::transform(data, data + count, data, [](float value) { return std::fabs(value); });
    });
  }
};

int64_t elements(const Recipe& recipe) {
  int64_t sum = 0;
  for (const model::Shape& shape : recipe.shapes) sum += shape.count;
  return sum;
}

/// What a step moves, in bytes per element.
struct Traffic {
  double to_host;
  double to_device;
};

void expect_traffic(const char* what, const Recipe& recipe, Traffic expected, bool present = true, bool mixed = false,
                    float special = 1.0f) {
  Filled model(recipe, {kChunkLength, mixed});
  model.gradients[0].data()[0] = special;
  for (size_t i = 0; i < model.size(); ++i) model.present(i, present);
  const late::Log before = log();
  model.step(kControls);
  const auto count = static_cast<double>(elements(recipe));
  const double to_host = static_cast<double>(log().bytes_to_host - before.bytes_to_host) / count;
  const double to_device = static_cast<double>(log().bytes_to_device - before.bytes_to_device) / count;
  expect(to_host == expected.to_host && to_device == expected.to_device,
         "%s: %g and %g bytes per element, expected %g and %g", what, to_host, to_device, expected.to_host,
         expected.to_device);
}

Recipe recipe_of(std::vector<model::Shape> shapes) {
  Recipe recipe;
  recipe.shapes = std::move(shapes);
  return recipe;
}

void moves_what_it_needs() {
  const Recipe plain = recipe_of({{3 * kChunkLength + 5, 1}, {100, 2}, {0}, {7}});
  const auto with = [&](auto set) {
    Recipe recipe = plain;
    set(recipe.policy);
    return recipe;
  };
  expect_traffic("an update", plain, {8, 4});
  expect_traffic("no gradient", plain, {0, 0}, false);
  expect_traffic("clipping", with([](Policy& p) { p.global_clip_norm = 1; }), {12, 4});
  expect_traffic("zeroed gradients", with([](Policy& p) { p.zero_gradients = 1; }), {8, 8});
  expect_traffic("accumulation", with([](Policy& p) { p.accumulation_steps = 2; }), {4, 0});
  expect_traffic("a skipped step", with([](Policy& p) { p.skip_non_finite = 1; }), {4, 0}, true, false, NAN);
  expect_traffic("a skipped step that zeroes", with([](Policy& p) { p.skip_non_finite = p.zero_gradients = 1; }),
                 {4, 4}, true, false, NAN);
  expect_traffic("an average", with([](Policy& p) { p.use_ema = 1; }), {4, 0}, false);
  expect_traffic("an average that overwrites", with([](Policy& p) { p.use_ema = p.ema_overwrite_frequency = 1; }),
                 {4, 4}, false);
  expect_traffic("arrays of the host", recipe_of({{40000}}), {0, 0}, true, true);
}

/// Recipe with norms, averages and several windows.
Recipe eventful() {
  Recipe recipe = recipe_of({{2 * kChunkLength + 9, 3}, {50}, {kChunkLength}, {17, 1}});
  recipe.policy.global_clip_norm = 0.5;
  recipe.policy.use_ema = 1;
  recipe.policy.zero_gradients = 1;
  return recipe;
}

using Words = std::vector<uint32_t>;

Words params_of(Model& model) {
  Words words;
  for (const Array& param : model.params) {
    param.pull();
    for (int64_t i = 0; i < param.count(); ++i) words.push_back(inputs::to_word(param.data()[i]));
  }
  return words;
}

void waits_for_the_stream() {
  const Stream others(kDevice, Stream::Kind::kOwn);
  for (void* const stream : {static_cast<void*>(nullptr), others.handle()}) {
    Filled model(eventful());
    Filled other(eventful());
    const Array& gradient = model.gradients[0];
    for (int64_t i = 0; i < gradient.count(); ++i) gradient.data()[i] = other.gradients[0].data()[i] = 3.0f;
    other.present(0, true);
    // Put on the optimizer's stream, or on that of the gradient, and not waited for.
    Located located = gradient.located();
    located.stream = stream;
    model.optimizer.bind_gradient(0, located);
    others.device().copy(located.data, gradient.data(), static_cast<size_t>(gradient.count()) * sizeof(float),
                         {0, stream});
    model.step(kControls);
    other.step(kControls);
    expect(params_of(model) == params_of(other), "the step has taken gradients that were not there yet");
  }
}

template <class Body>
bool throws(const char* code, Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    return std::string(error.code) == code;
  }
  return false;
}

void fails_cleanly() {
  Filled whole(eventful());
  const Words before = params_of(whole);
  whole.step(kControls);
  const Words after = params_of(whole);
  int repeatable = 0;
  int torn = 0;
  for (int64_t n = 1;; ++n) {
    Filled model(eventful());
    log().failing_call = log().calls + n;
    const bool failed = throws("CUDA", [&] { model.step(kControls); });
    log().failing_call = 0;
    if (!failed) break;
    expect(log().under_way == 0, "call %d failed and left copies under way", static_cast<int>(n));
    const Words left = params_of(model);
    if (model.optimizer.counters().steps == 0) {
      ++repeatable;
      expect(left == before, "call %d failed before anything changed, but parameters did", static_cast<int>(n));
      model.step(kControls);
      expect(params_of(model) == after, "call %d failed, and the step repeated has another result",
             static_cast<int>(n));
      continue;
    }
    ++torn;
    for (size_t i = 0; i < left.size(); ++i) {
      if (left[i] != before[i] && left[i] != after[i]) return expect(false, "an element is neither old nor new");
    }
    float value = 0;
    const bool refuses = throws("CUDA", [&] { model.step(kControls); }) &&
                         throws("CUDA", [&] { model.optimizer.read_slot(0, kMoment1Slot, 0, 1, &value); }) &&
                         throws("CUDA", [&] { model.optimizer.exchange_ema(); });
    expect(refuses, "call %d failed half-way, and the optimizer goes on", static_cast<int>(n));
    model.optimizer.set_counters(model.optimizer.counters());
    expect(throws("CUDA", [&] { model.step(kControls); }), "new counts have mended what they are but part of");
    model.optimizer.mend();
    model.step(kControls);
  }
  expect(repeatable > 8 && torn > 16, "only %d and %d calls were made to fail", repeatable, torn);
}

void runs_out_of_memory() {
  for (int64_t n = 1;; ++n) {
    const int64_t live = log().live;
    log().failing_request = log().requests + n;
    bool failed = false;
    try {
      const Filled model(eventful());
    } catch (const Error&) {
      failed = true;
    }
    log().failing_request = 0;
    expect(log().live == live, "request %d failed and left something behind", static_cast<int>(n));
    if (!failed) return expect(n > 10, "only %d requests were made to fail", static_cast<int>(n));
  }
}

void exchanges_averages() {
  Filled model(eventful());
  model.step(kControls);
  const Words trained = params_of(model);
  const auto average = [&](size_t i) {
    std::vector<float> values(static_cast<size_t>(model.params[i].count()));
    model.optimizer.read_slot(i, kEmaSlot, 0, model.params[i].count(), values.data());
    return values;
  };
  std::vector<float> first = average(0);
  for (float& value : first) value += 1.0f;
  model.optimizer.write_slot(0, kEmaSlot, 0, model.params[0].count(), first.data());
  model.optimizer.exchange_ema();
  model.params[0].pull();
  for (size_t i = 0; i < first.size(); ++i) {
    if (model.params[0].data()[i] != first[i]) return expect(false, "element %zu is not the average", i);
  }
  model.optimizer.exchange_ema();
  expect(params_of(model) == trained, "exchanged twice, the parameters are not what they were");
  model.optimizer.apply_ema();
  expect(params_of(model) != trained && average(0) == first, "the averages do not replace the parameters");
}

}  // namespace

int main() {
  for (unsigned streams = 0; streams < kStreamSets; ++streams) {
    check::test(("offloaded state equals cpu:scalar with " + stream_names(streams)).c_str(),
                [&] { offloaded_conforms(find_device(kDevice), streams, 4); });
  }
  check::test("a step moves what it needs and nothing else", moves_what_it_needs);
  check::test("a step waits for what its stream does before", waits_for_the_stream);
  check::test("averages and parameters trade places", exchanges_averages);
  check::test("a call that fails leaves each element old or new, and no copy under way", fails_cleanly);
  check::test("a build without memory leaves nothing behind", runs_out_of_memory);
  check::test("nothing is left behind", [] { expect(log().live == 0, "%d are", static_cast<int>(log().live)); });
  return check::summary();
}
