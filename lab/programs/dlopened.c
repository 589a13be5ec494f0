/* Opens a library by its path and is blocked in a function of it. */
#include <dlfcn.h>
#include <stdio.h>

int main(void) {
  void *library = dlopen("/opt/lab/bin/libmarker.so", RTLD_NOW);
  if (!library) return puts(dlerror()), 1;
  void (*marker_wait)(int) = (void (*)(int))dlsym(library, "marker_wait");
  marker_wait(21);
  return 0;
}
