// What this CPU can do.
#pragma once

namespace adamw::cpu {

struct Features {
  bool avx2;    ///< AVX2 and FMA, enabled by the operating system
  bool avx512;  ///< AVX-512 F and DQ, enabled by the operating system
  bool neon;
  bool carryless_products;  ///< PCLMULQDQ
  bool crc32_instruction;   ///< AArch64's
};

/// Asked once per process.
const Features& features();

}  // namespace adamw::cpu
