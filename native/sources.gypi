{
  "targets": [
    {
      "target_name": "binding",
      "type": "none",
      "direct_dependent_settings": {
        "sources": ["binding/addon.cpp", "binding/buffer.cpp", "binding/optimizer.cpp", "binding/optimizer_state.cpp", "binding/optimizer_steps.cpp", "binding/stream.cpp"]
      }
    },
    {
      "target_name": "engine",
      "type": "static_library",
      "sources": ["engine/ahead_stepper.cpp", "engine/buffer.cpp", "engine/mirror.cpp", "engine/offload.cpp", "engine/optimizer.cpp", "engine/pipeline.cpp", "engine/plan.cpp", "engine/stream.cpp"]
    },
    {
      "target_name": "kernels",
      "type": "static_library",
      "sources": ["kernels/devices.cpp"]
    },
    {
      "target_name": "cpu",
      "type": "static_library",
      "sources": ["kernels/cpu/checksum.cpp", "kernels/cpu/device.cpp", "kernels/cpu/features.cpp", "kernels/cpu/pages.cpp", "kernels/cpu/system.cpp", "kernels/cpu/threads.cpp"]
    },
    {
      "target_name": "cpu_scalar",
      "type": "static_library",
      "sources": ["kernels/cpu/scalar.cpp"]
    }
  ],
  "conditions": [
    ["cuda=='off'", {
      "targets": [
        {
          "target_name": "cuda",
          "type": "static_library",
          "sources": ["kernels/cuda/none.cpp"]
        }
      ]
    }],
    ["cuda=='on'", {
      "targets": [
        {
          "target_name": "cuda",
          "type": "static_library",
          "sources": ["kernels/cuda/device.cu"],
          "rules": [
            {
              "rule_name": "nvcc",
              "extension": "cu",
              "message": "nvcc <(RULE_INPUT_PATH)",
              "inputs": ["<(nvcc)", "<@(cuda_headers)"],
              "outputs": ["<(INTERMEDIATE_DIR)/<(RULE_INPUT_ROOT).o"],
              "process_outputs_as_sources": 1,
              "action": [
                "<(nvcc)", "<@(cuda_flags)", "<@(cuda_architecture_flags)", "-t", "0", "-I", ".",
                "-Xcompiler", "-fPIC,-fvisibility=hidden,-ffp-contract=off",
                "-c", "<(RULE_INPUT_PATH)", "-o", "<@(_outputs)"
              ]
            }
          ],
          "link_settings": {
            "libraries": ["<(cuda_library)/libcudart_static.a", "-lrt", "-ldl", "-lpthread"]
          }
        }
      ]
    }],
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
