# Everything below the binding. The addon depends on all of it ("native/core.gyp:*"), so a target added to
# sources.gypi is compiled and linked without being named anywhere else.
{
  'includes': ['flags.gypi', 'sources.gypi'],
}
