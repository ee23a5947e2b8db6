# Everything below the binding. The addon depends on all of it ("native/core.gyp:*"), so a target added to
# sources.gypi is compiled and linked without being named anywhere else.
{
  'variables': {
    # CUDA is part of the build where nvcc is found, unless FUSED_ADAMW_CUDA=off or `-Dcuda=off` says otherwise.
    'cuda%': '<!(node ../scripts/cuda.mjs available)',
    'nvcc%': '<!(node ../scripts/cuda.mjs nvcc)',
    'cuda_headers': ['<!@(node ../scripts/cuda.mjs headers)'],
    'cuda_architecture_flags%': ['<!@(node ../scripts/cuda.mjs flags)'],
    'cuda_library%': '<!(node ../scripts/cuda.mjs library)',
  },
  'includes': ['flags.gypi', 'sources.gypi'],
}
