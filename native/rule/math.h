// The number type float as the rule sees it: the operations every V (float here, a Vec per instruction set) must offer.
// Included by code for the host, for each instruction set and for CUDA; everything is static or a template on V.
#pragma once

#include <cfloat>
#include <cmath>

// Contraction is switched off by flags.gypi for GCC and nvcc. Clang as cl.exe's replacement and older cl.exe contract
// under /fp:precise, and only a pragma stops them.
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(_MSC_VER)
#pragma fp_contract(off)
#endif

#ifdef __CUDACC__
#define ADAMW_HD __host__ __device__
#else
#define ADAMW_HD
#endif

namespace adamw {

static_assert(FLT_EVAL_METHOD == 0, "arithmetic on float must round to float: the x87 unit does not");

/// a·b + c with one rounding.
ADAMW_HD static inline float fma(float a, float b, float c) { return ::fmaf(a, b, c); }

/// The correctly rounded square root (nvcc's default for sqrtf; never rsqrt or fast math).
ADAMW_HD static inline float sqrt(float x) { return ::sqrtf(x); }

/// a ≥ b ? yes : no, and `no` when either is NaN: the one comparison of the rule.
ADAMW_HD static inline float select_ge(float a, float b, float yes, float no) { return a >= b ? yes : no; }

/// The larger of two, NaN if either is NaN (numpy.maximum, which is Keras' maximum).
template <class V>
ADAMW_HD inline V max_keep_nan(V a, V b) {
  return select_ge(a, a, select_ge(a, b, a, b), a);
}

/// x limited to [−limit, limit]; NaN stays. limit = +∞ changes nothing.
template <class V>
ADAMW_HD inline V clamp(V x, V limit) {
  x = select_ge(x, limit, limit, x);
  const V lowest = -limit;
  return select_ge(lowest, x, lowest, x);
}

}  // namespace adamw
