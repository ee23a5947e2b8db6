/* Preloaded before the CUDA runtime: says the size of every copy, which the emulator's trace does not. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>

typedef int (*Copy)(void*, const void*, size_t, int, void*);

int cudaMemcpyAsync(void* to, const void* from, size_t bytes, int kind, void* stream) {
  /* The addon has loaded the runtime by now, but after this. */
  void* runtime = dlopen("libcudart.so.13", RTLD_LAZY | RTLD_NOLOAD);
  if (runtime == NULL) runtime = dlopen("libcudart.so.12", RTLD_LAZY | RTLD_NOLOAD);
  const Copy copy = (Copy)dlsym(runtime, "cudaMemcpyAsync");
  fprintf(stderr, "copies %zu\n", bytes);
  return copy(to, from, bytes, kind, stream);
}
