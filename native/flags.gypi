{
  "variables": {
    "flags": [
      "-std=c++17",
      "-ffp-contract=off",
      "-fno-fast-math",
      "-fno-math-errno",
      "-fvisibility=hidden",
      "-fvisibility-inlines-hidden",
      "-Wall",
      "-Wextra",
      "-Wdouble-promotion",
      "-Werror=return-type",
      "-Werror=double-promotion",
      "-Werror=reorder"
    ],
    "msvc_flags": ["/std:c++17", "/permissive-", "/Zc:lambda", "/fp:precise", "/utf-8", "/W3"],
    "msvc_defines": ["NOMINMAX", "WIN32_LEAN_AND_MEAN"],
    "cuda_flags": ["-std=c++17", "-O3", "-fmad=false", "-Xptxas", "-warn-spills,-warn-lmem-usage,-Werror"],
    "cuda_architectures": ["75", "80", "86", "89", "90", "100", "120"],
    "linux_link_flags": ["-Wl,--exclude-libs,ALL"],
    "addon_defines": [
      "NAPI_VERSION=9",
      "NAPI_CPP_EXCEPTIONS",
      "NODE_ADDON_API_CPP_EXCEPTIONS_ALL",
      "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"
    ]
  },
  "target_defaults": {
    "variables": { "isa_flags%": [], "isa_msvc_flags%": [] },
    "include_dirs": ["."],
    "cflags_cc!": ["-std=gnu++17", "-std=gnu++20", "-fno-rtti", "-fno-exceptions"],
    "cflags_cc": ["<@(flags)", ">@(isa_flags)"],
    "xcode_settings": {
      "CLANG_CXX_LANGUAGE_STANDARD": "c++17",
      "GCC_ENABLE_CPP_EXCEPTIONS": "YES",
      "GCC_ENABLE_CPP_RTTI": "YES",
      "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
      "MACOSX_DEPLOYMENT_TARGET": "11.0",
      "OTHER_CPLUSPLUSFLAGS": ["<@(flags)", ">@(isa_flags)"]
    },
    "msvs_settings": {
      "VCCLCompilerTool": {
        "ExceptionHandling": 1,
        "RuntimeTypeInfo": "true",
        "AdditionalOptions": ["<@(msvc_flags)", ">@(isa_msvc_flags)"]
      }
    },
    "conditions": [
      ["OS=='win'", { "defines!": ["_HAS_EXCEPTIONS=0"], "defines": ["_HAS_EXCEPTIONS=1", "<@(msvc_defines)"] }]
    ]
  }
}
