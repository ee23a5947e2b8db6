# node-gyp's way to the addon, which binding.gyp includes; CMakeLists.txt is the other. Both read native/sources.gypi (files, and the flags of each
# instruction set) and native/flags.gypi (flags of every file), so neither names a source or a compiler flag itself.
#
# Each instruction set is a static library of its own: only its own objects may be compiled for it, and an object
# compiled for AVX-512 must not lend its inline functions to code that runs before the CPU has been asked.
{
  'includes': ['flags.gypi'],
  'targets': [
    {
      'target_name': 'fused_adamw',
      'type': 'loadable_module',
      'dependencies': ['native/core.gyp:*'],
      'include_dirs': ['<!(node -p "require(\'node-addon-api\').include_dir")'],
      'defines': ['<@(addon_defines)'],
      'conditions': [
        ['OS=="linux"', {'ldflags': ['<@(linux_link_flags)']}],
      ],
    },
  ],
}
