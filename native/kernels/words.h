// Elements of any type as the bits they are.
#pragma once

#include <cstddef>
#include <cstdint>

namespace adamw {

/// act(the low bytes of `word`, as an integer of as many bytes): 1, 2, 4 or 8.
template <class Act>
void as_word_of(size_t bytes, uint64_t word, Act&& act) {
  if (bytes == 1) {
    act(static_cast<uint8_t>(word));
  } else if (bytes == 2) {
    act(static_cast<uint16_t>(word));
  } else if (bytes == 4) {
    act(static_cast<uint32_t>(word));
  } else {
    act(word);
  }
}

}  // namespace adamw
