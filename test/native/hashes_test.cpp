// Fixed results, the same on every machine, instruction set and thread count: hashes.txt says which and how.
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "check.h"
#include "inputs.h"
#include "kernels/devices.h"
#include "model.h"

namespace {

using namespace adamw;
using model::Model;
using model::Recipe;

/// One line of hashes.txt.
struct Case {
  std::string name;
  std::map<std::string, double> options;
  uint32_t hash = 0;
};

std::vector<Case> read_cases(const char* path) {
  std::vector<Case> cases;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    Case found;
    words >> found.name;
    for (std::string word; words >> word;) {
      const size_t equals = word.find('=');
      const std::string key = word.substr(0, equals);
      const std::string value = word.substr(equals + 1);
      if (key == "hash") {
        found.hash = static_cast<uint32_t>(std::stoul(value, nullptr, 16));
      } else {
        found.options[key] = std::stod(value);
      }
    }
    cases.push_back(found);
  }
  return cases;
}

/// Sets the fields of a block that the case names; counts them in `used`.
template <class T>
void set_fields(T& block, const Case& of, size_t& used) {
  for (const Field<T>& field : Fields<T>::kTable) {
    const auto found = of.options.find(field.name);
    if (found == of.options.end()) continue;
    block.*field.member = found->second;
    ++used;
  }
}

void fill(float* to, int64_t count, uint32_t seed) {
  for (int64_t i = 0; i < count; ++i) to[i] = inputs::unit(inputs::bits(seed, static_cast<uint32_t>(i)));
}

/// FNV-1a, 32 bits, over the little-endian bytes of each word.
struct Hash {
  uint32_t value = 0x811c9dc5u;
  void add(uint32_t word) {
    for (int shift = 0; shift < 32; shift += 8) value = (value ^ ((word >> shift) & 0xffu)) * 0x01000193u;
  }
};

uint32_t result(const Case& of, const char* device, int threads) {
  constexpr int64_t kCounts[] = {1, 17, 300, 16385, 60000};
  constexpr int kSteps = 6;
  Recipe recipe;
  Controls controls{0.01, 0.004, 1.0};
  Counters counters{0, 0, 0, 1.0, 0};
  recipe.settings[0].weight_decay = std::numeric_limits<double>::quiet_NaN();  // that of the controls
  size_t used = 0;
  set_fields(recipe.policy, of, used);
  set_fields(controls, of, used);
  set_fields(counters, of, used);
  Setting numbers = recipe.settings[0];
  set_fields(numbers, of, used);
  numbers.weight_decay = recipe.settings[0].weight_decay;
  recipe.settings[0] = numbers;
  check::expect(used - of.options.count("weightDecay") == of.options.size(), "%s names an unknown option",
                of.name.c_str());
  recipe.loss_scale = counters.loss_scale;
  for (const int64_t count : kCounts) recipe.shapes.push_back({count});

  Model model(recipe, device, threads);
  uint32_t seed = 0;
  for (const Array& param : model.params) fill(param.data(), param.count(), ++seed);
  for (int step = 0; step < kSteps; ++step) {
    for (size_t i = 0; i < model.size(); ++i) {
      fill(model.gradients[i].data(), model.gradients[i].count(), ++seed);
      model.present(i, !(step == 3 && i == 2));
    }
    model.gradients[0].data()[0] = step == 4 && of.name.compare(0, 3, "nan") == 0 ? inputs::Limits::quiet_NaN() : 0.5f;
    model.step(controls);
  }

  Hash hash;
  model.each_array([&](const char* name, size_t, const float* data, int64_t count) {
    if (std::string(name) == "gradient") return;
    for (int64_t i = 0; i < count; ++i) hash.add(inputs::to_word(data[i]));
  });
  return hash.value;
}

}  // namespace

int main() {
  const std::vector<Case> cases = read_cases(ADAMW_HASHES);
  check::test("hashes.txt has cases", [&] { check::expect(!cases.empty(), "%s has none", ADAMW_HASHES); });
  for (const Device* device : devices()) {
    if (!device->unavailable().empty()) continue;
    for (const Case& of : cases) {
      const std::string name = std::string(device->name()) + " gives the committed result of " + of.name;
      check::test(name.c_str(), [&] {
        for (const int threads : {1, 3}) {
          const uint32_t hash = result(of, device->name(), threads);
          check::expect(hash == of.hash, "hash=%08x, expected %08x", hash, of.hash);
        }
      });
    }
  }
  return check::summary();
}
