{
  "targets": [
    {
      "target_name": "binding",
      "type": "none",
      "direct_dependent_settings": {
        "sources": ["binding/addon.cpp", "binding/optimizer.cpp"]
      }
    },
    {
      "target_name": "engine",
      "type": "static_library",
      "sources": ["engine/optimizer.cpp", "engine/plan.cpp"]
    },
    {
      "target_name": "kernels",
      "type": "static_library",
      "sources": ["kernels/devices.cpp"]
    },
    {
      "target_name": "cpu",
      "type": "static_library",
      "sources": ["kernels/cpu/device.cpp", "kernels/cpu/features.cpp", "kernels/cpu/threads.cpp"]
    },
    {
      "target_name": "cpu_scalar",
      "type": "static_library",
      "sources": ["kernels/cpu/scalar.cpp"]
    }
  ],
  "conditions": [
    ["target_arch=='x64'", {
      "targets": [
        {
          "target_name": "cpu_avx2",
          "type": "static_library",
          "sources": ["kernels/cpu/avx2.cpp"],
          "variables": {
            "isa_flags": ["-mavx2", "-mfma", "-mf16c"],
            "isa_msvc_flags": ["/arch:AVX2"]
          }
        },
        {
          "target_name": "cpu_avx512",
          "type": "static_library",
          "sources": ["kernels/cpu/avx512.cpp"],
          "variables": {
            "isa_flags": ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mavx2", "-mfma", "-mf16c", "-Wno-uninitialized"],
            "isa_msvc_flags": ["/arch:AVX512"]
          }
        }
      ]
    }],
    ["target_arch=='arm64'", {
      "targets": [
        {
          "target_name": "cpu_neon",
          "type": "static_library",
          "sources": ["kernels/cpu/neon.cpp"]
        }
      ]
    }]
  ]
}
