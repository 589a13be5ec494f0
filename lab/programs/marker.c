/* A library that is loaded while the program runs: its static memory and its frame are only found by a
   reader that follows the loader's list. */
#include <unistd.h>

static char marker_buffer[64] = "MARKER-IN-A-LIBRARY";
int marker_count;

void marker_wait(int times) {
  int local_of_library = times * 2;
  marker_count = local_of_library;
  marker_buffer[63] = (char)times;
  write(1, "ready\n", 6);
  for (;;) pause();
}
