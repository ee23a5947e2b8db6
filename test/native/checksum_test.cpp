// CRC-32 by whatever this CPU has, and by tables, against its definition.
#include "kernels/checksum.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "check.h"
#include "inputs.h"

namespace {

using adamw::crc32;
using adamw::portable_crc32;
using check::expect;

/// Bit by bit, as ISO 3309 has it.
uint32_t defined_crc32(const unsigned char* data, size_t bytes, uint32_t before = 0) {
  uint32_t p = ~before;
  for (size_t i = 0; i < bytes; ++i) {
    p ^= data[i];
    for (int bit = 0; bit < 8; ++bit) p = (p >> 1) ^ ((p & 1) != 0 ? 0xEDB88320u : 0u);
  }
  return ~p;
}

std::vector<unsigned char> some_bytes(size_t count) {
  std::vector<unsigned char> bytes(count);
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<unsigned char>(inputs::bits(7, static_cast<uint32_t>(i)));
  return bytes;
}

void known_values() {
  const std::string digits = "123456789";
  for (const auto sum : {crc32, portable_crc32}) {
    expect(sum(digits.data(), digits.size(), 0) == 0xCBF43926u, "of 123456789 it is %08x", sum(digits.data(), 9, 0));
    expect(sum(nullptr, 0, 0) == 0, "of nothing it is %08x", sum(nullptr, 0, 0));
  }
}

void every_length_and_place() {
  const auto bytes = some_bytes(700);
  for (size_t length = 0; length <= 600; ++length) {
    // On the heap, and exactly as long, so that a sanitizer sees what is read beyond.
    const std::unique_ptr<unsigned char[]> exact(new unsigned char[length + length % 17]);
    unsigned char* const data = exact.get() + length % 17;
    std::copy_n(bytes.data() + length % 64, length, data);
    const uint32_t wanted = defined_crc32(data, length, 0x12345678u);
    expect(crc32(data, length, 0x12345678u) == wanted, "of %zu bytes", length);
    expect(portable_crc32(data, length, 0x12345678u) == wanted, "of %zu bytes by tables", length);
  }
}

void parts_add_up() {
  const auto bytes = some_bytes(100'003);
  const uint32_t whole = defined_crc32(bytes.data(), bytes.size());
  for (uint32_t round = 0; round < 200; ++round) {
    uint32_t sum = 0;
    uint32_t part = 0;
    for (size_t done = 0; done < bytes.size(); ++part) {
      const size_t count = std::min<size_t>(inputs::bits(round, part) % 5000, bytes.size() - done);
      sum = crc32(bytes.data() + done, count, sum);
      done += count;
    }
    expect(sum == whole, "in %u parts it is %08x, expected %08x", part, sum, whole);
  }
}

void every_bit_counts() {
  auto bytes = some_bytes(1000);
  const uint32_t good = crc32(bytes.data(), bytes.size());
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    bytes[bit / 8] ^= static_cast<unsigned char>(1u << (bit % 8));
    expect(crc32(bytes.data(), bytes.size()) != good, "bit %zu does not", bit);
    bytes[bit / 8] ^= static_cast<unsigned char>(1u << (bit % 8));
  }
}

}  // namespace

int main() {
  check::test("checksums have the values that everybody knows", known_values);
  check::test("a checksum is what its definition says for every length and place", every_length_and_place);
  check::test("checksums of parts go on from one another", parts_add_up);
  check::test("every bit changes the checksum", every_bit_counts);
  return check::summary();
}
