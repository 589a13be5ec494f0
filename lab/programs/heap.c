/* heap [MIB]: memory with known contents: half of it does not compress, a quarter is lines of a log, a quarter
   is zeros that were written.  A marker stands at every 4 MiB and one lies across a border of two pages. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, EACH = 4 << 20 };

static void fill_noise(uint64_t *to, size_t size) {
  uint64_t state = 0x9e3779b97f4a7c15; /* fixed: every run has the same bytes */
  for (size_t i = 0; i < size / sizeof *to; i++) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    to[i] = state;
  }
}

static void fill_log(char *to, size_t size) {
  char line[128];
  size_t at = 0;
  for (unsigned n = 0; at < size; n++) {
    int length = snprintf(line, sizeof line, "2026-11-22T05:%02u:%02u app[%u]: request %u took %u ms\n",
                          n / 60 % 60, n % 60, n % 7, n, n * 37 % 1000);
    size_t part = size - at < (size_t)length ? size - at : (size_t)length;
    memcpy(to + at, line, part);
    at += part;
  }
}

static void fill_zeros(char *to, size_t size) {
  for (size_t i = 0; i < size; i += PAGE) ((volatile char *)to)[i] = 0;
}

static unsigned mark(char *base, size_t size) {
  unsigned count = 0;
  char text[32];
  for (size_t at = 0; at < size; at += EACH) {
    int length = snprintf(text, sizeof text, "HEAP-MARKER-%06u", count++);
    memcpy(base + at, text, length);
  }
  memcpy(base + 3 * PAGE - 9, "HEAP-MARKER-BORDER", 18);
  return count;
}

int main(int argc, char **argv) {
  size_t size = (argc > 1 ? strtoul(argv[1], NULL, 10) : 256) << 20, half = size / 2, quarter = size / 4;
  char *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED || size < EACH) return 1;
  fill_noise((uint64_t *)base, half);
  fill_log(base + half, quarter);
  fill_zeros(base + half + quarter, quarter);
  unsigned markers = mark(base, size);
  printf("fact heap {\"base\": %lu, \"size\": %zu, \"noise\": 0, \"log\": %zu, \"zeros\": %zu}\n",
         (unsigned long)base, size, half, half + quarter);
  printf("fact markers {\"count\": %u, \"each\": %d, \"border\": %d}\n", markers, EACH, 3 * PAGE - 9);
  puts("ready");
  fflush(stdout);
  for (;;) pause();
}
