// Each operation of one instruction set's Vec against the same operation on float.
#include ADAMW_ISA_HEADER

#include <vector>

#include "check.h"
#include "guarded.h"
#include "inputs.h"
#include "rule/math.h"

namespace {

using adamw::Full;
using adamw::cpu::ADAMW_ISA::Vec;
using check::expect;
using inputs::to_word;

constexpr int kLanes = Vec::kLanes;

/// Special values, and ordinary ones around them.
std::vector<float> operands() {
  std::vector<float> values(inputs::kSpecials, inputs::kSpecials + inputs::kSpecialCount);
  for (uint32_t i = 0; i < 12; ++i) {
    const float exponent = inputs::from_word((90u + 7u * i) << 23);
    values.push_back(inputs::unit(inputs::bits(1, i)) * exponent);
  }
  return values;
}

/// A vector whose lane i holds values[(first + i) mod size]: each value meets each lane.
Vec lanes_from(const std::vector<float>& values, size_t first) {
  float lanes[kLanes];
  for (size_t i = 0; i < kLanes; ++i) lanes[i] = values[(first + i) % values.size()];
  return Vec::load(lanes, Full{});
}

/// Compares vector(a, b, c) with scalar(a, b, c) in every lane, for every triple of operands.
template <class Vector, class Scalar>
void agrees(const char* operation, Vector&& vector, Scalar&& scalar) {
  const std::vector<float> values = operands();
  const size_t size = values.size();
  for (size_t i = 0; i < size; ++i) {
    for (size_t j = 0; j < size; ++j) {
      for (size_t k = 0; k < size; ++k) {
        float actual[kLanes];
        Vec::store(actual, vector(lanes_from(values, i), lanes_from(values, j), lanes_from(values, k)), Full{});
        for (size_t lane = 0; lane < kLanes; ++lane) {
          const float a = values[(i + lane) % size];
          const float b = values[(j + lane) % size];
          const float c = values[(k + lane) % size];
          const float expected = scalar(a, b, c);
          expect(to_word(actual[lane]) == to_word(expected), "%s of %a, %a, %a in lane %zu is %a, expected %a",
                 operation, static_cast<double>(a), static_cast<double>(b), static_cast<double>(c), lane,
                 static_cast<double>(actual[lane]), static_cast<double>(expected));
        }
      }
    }
  }
}

void loads_and_stores_stay_inside() {
  for (int count = 1; count <= kLanes; ++count) {
    for (int slack = 0; slack < 2; ++slack) {
      const Guarded from(count, slack);
      for (int i = 0; i < count; ++i) from.data()[i] = static_cast<float>(i + 1);
      const Vec v = count == kLanes ? Vec::load(from.data(), Full{}) : Vec::load(from.data(), count);

      float lanes[kLanes];
      Vec::store(lanes, v, Full{});
      for (int i = 0; i < kLanes; ++i) {
        expect(to_word(lanes[i]) == to_word(i < count ? static_cast<float>(i + 1) : 0.0f),
               "load of %d gives %a in lane %d", count, static_cast<double>(lanes[i]), i);
      }

      const Guarded to(count + 1, slack);
      to.data()[0] = -1.0f;
      if (count == kLanes) {
        Vec::store(to.data() + 1, v, Full{});
      } else {
        Vec::store(to.data() + 1, v, count);
      }
      expect(to.data()[0] == -1.0f, "store of %d writes before its place", count);
      for (int i = 0; i < count; ++i) expect(to.data()[i + 1] == lanes[i], "store of %d misses lane %d", count, i);
    }
    // Memory behind a partial store keeps what it held.
    float wide[2 * kLanes];
    for (float& value : wide) value = 7.0f;
    if (count < kLanes) Vec::store(wide, Vec(1.0f), count);
    for (int i = count; i < 2 * kLanes; ++i) expect(wide[i] == 7.0f, "store of %d writes element %d", count, i);
  }
}

/// The upper half of a float, as a type that no Vec knows.
struct Upper : adamw::LaneByLane<Upper, uint16_t> {
  template <class V>
  static float widen(uint16_t bits) {
    return inputs::from_word(uint32_t{bits} << 16);
  }
  template <class V>
  static uint16_t narrow(float value) {
    return static_cast<uint16_t>(to_word(value) >> 16);
  }
};

void lane_by_lane_stays_inside() {
  constexpr uint16_t kOther = 0x7f12;
  for (int count = 1; count <= kLanes; ++count) {
    std::vector<uint16_t> from(static_cast<size_t>(count));
    for (int i = 0; i < count; ++i) from[static_cast<size_t>(i)] = static_cast<uint16_t>(0x3f80 + i);
    const bool is_full = count == kLanes;
    const Vec v = is_full ? Upper::load<Vec>(from.data(), Full{}) : Upper::load<Vec>(from.data(), count);

    float lanes[kLanes];
    v.to_lanes(lanes);
    for (int i = 0; i < kLanes; ++i) {
      const float expected = i < count ? Upper::widen<Vec>(from[static_cast<size_t>(i)]) : 0.0f;
      expect(to_word(lanes[i]) == to_word(expected), "load of %d gives %a in lane %d", count,
             static_cast<double>(lanes[i]), i);
    }

    std::vector<uint16_t> to(2 * kLanes + 1, kOther);
    if (is_full) {
      Upper::store(to.data() + 1, Vec::from_lanes(lanes), Full{});
    } else {
      Upper::store(to.data() + 1, Vec::from_lanes(lanes), count);
    }
    for (int i = 0; i < 2 * kLanes + 1; ++i) {
      const bool is_stored = i >= 1 && i <= count;
      const uint16_t expected = is_stored ? from[static_cast<size_t>(i - 1)] : kOther;
      expect(to[static_cast<size_t>(i)] == expected, "store of %d leaves %x in element %d", count,
             unsigned{to[static_cast<size_t>(i)]}, i);
    }
  }
}

void squares_keep_lane_order() {
  const std::vector<float> values = operands();
  for (size_t first = 0; first < values.size(); ++first) {
    Vec::Squares squares;
    squares.add(lanes_from(values, first));
    squares.add(lanes_from(values, first + 5));
    double actual[kLanes];
    squares.store(actual);
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const auto a = static_cast<double>(values[(first + lane) % values.size()]);
      const auto b = static_cast<double>(values[(first + 5 + lane) % values.size()]);
      const double square = a * a;
      const double expected = std::fma(b, b, square);
      expect(to_word(actual[lane]) == to_word(expected), "squares of %a and %a in lane %zu add up to %a, expected %a",
             a, b, lane, actual[lane], expected);
    }
  }
}

}  // namespace

void test_vec() {
  check::test("partial loads and stores touch exactly their elements", loads_and_stores_stay_inside);
  check::test("a type that is converted lane by lane touches exactly its elements", lane_by_lane_stays_inside);
  check::test("squares add up in double, lane by lane", squares_keep_lane_order);

  const auto pair = [](const char* name, auto operation) {
    check::test(name, [&] {
      agrees(
          name, [&](Vec a, Vec b, Vec) { return operation(a, b); },
          [&](float a, float b, float) { return operation(a, b); });
    });
  };
  const auto triple = [](const char* name, auto operation) {
    check::test(name, [&] { agrees(name, operation, operation); });
  };
  pair("a + b", [](auto a, auto b) { return a + b; });
  pair("a - b", [](auto a, auto b) { return a - b; });
  pair("a * b", [](auto a, auto b) { return a * b; });
  pair("a / b", [](auto a, auto b) { return a / b; });
  pair("-a", [](auto a, auto) { return -a; });
  using adamw::sqrt;
  pair("sqrt(a)", [](auto a, auto) { return sqrt(a); });
  using adamw::fma;
  triple("fma(a, b, c)", [](auto a, auto b, auto c) { return fma(a, b, c); });
  using adamw::select_ge;
  triple("select_ge(a, b, c, a)", [](auto a, auto b, auto c) { return select_ge(a, b, c, a); });
  pair("max_keep_nan(a, b)", [](auto a, auto b) { return adamw::max_keep_nan(a, b); });
  pair("clamp(a, b)", [](auto a, auto b) { return adamw::clamp(a, b); });
  check::test("a vector of one number holds it in every lane", [] {
    for (const float value : operands()) {
      float lanes[kLanes];
      Vec::store(lanes, Vec(value), Full{});
      for (const float lane : lanes)
        expect(to_word(lane) == to_word(value), "%a became %a", static_cast<double>(value), static_cast<double>(lane));
    }
  });
  check::test("max_keep_nan gives NaN for a NaN on either side, clamp keeps it", [] {
    float lanes[kLanes];
    const Vec nan(inputs::Limits::quiet_NaN());
    for (const Vec v : {adamw::max_keep_nan(nan, Vec(1.0f)), adamw::max_keep_nan(Vec(1.0f), nan),
                        adamw::clamp(nan, Vec(1.0f)), adamw::clamp(nan, Vec(inputs::Limits::infinity()))}) {
      Vec::store(lanes, v, Full{});
      for (const float lane : lanes) expect(lane != lane, "%a is not NaN", static_cast<double>(lane));
    }
  });
}
