# The addon is in native/addon.gypi. A published package has no binding.gyp: npm would build it at every install that it
# takes from a lock file, asked or not. scripts/build.mjs puts it there for the time of a build.
{'includes': ['native/addon.gypi']}
