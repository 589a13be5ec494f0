/* Secrets in every kind of place that a search must look at, each there once and nowhere else.

   They are put together where they belong, a character at a time from letters that are one too high, so
   that no whole copy ever stands in the program, its constants or a buffer.  `fact NAME ADDRESS` says where
   those in memory lie.  A child is forked at the end: it shares the pages of all before, and has one
   secret of its own. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAGE = 4096, AREA = 3 * PAGE, BORDER = 11 };
static const volatile char HEAD[] = "QMBOUFE.";

/* PLANTED-<name>-<16 hexadecimal digits that follow from the name>; returns the bytes written. */
static size_t plant(volatile char *at, const char *name, size_t width) {
  size_t n = 0;
  unsigned long sum = 5381;
  for (; HEAD[n]; n++) at[n * width] = HEAD[n] - 1;
  for (const char *c = name; *c; c++, n++) {
    sum = sum * 33 + (unsigned char)*c;
    at[n * width] = *c;
  }
  at[n++ * width] = '-';
  sum *= 0x9e3779b97f4a7c15ul;
  for (int digit = 60; digit >= 0; digit -= 4, n++) at[n * width] = "0123456789abcdef"[sum >> digit & 15];
  return n * width;
}

static void in_memory(volatile char *at, const char *name, size_t width) {
  plant(at, name, width);
  printf("fact %s %p\n", name, (void *)at);
}

/* Written through a descriptor, and wiped from the buffer that it takes. */
static void written(int fd, const char *name) {
  char buffer[64] = "";
  size_t size = plant(buffer, name, 1);
  if (write(fd, buffer, size) != (ssize_t)size) abort();
  explicit_bzero(buffer, sizeof buffer);
  printf("fact %s %d\n", name, fd);
}

static char *pages(int flags, int fd) {
  char *found = mmap(NULL, AREA, PROT_READ | PROT_WRITE, flags, fd, 0);
  if (found == MAP_FAILED) abort();
  return found;
}

int main(int argc, char **argv) {
  char stack[AREA];
  const char *folder = argc > 1 ? argv[1] : "/data";
  int both[2];

  /* in the middle of areas, on pages that nobody writes to after the fork */
  in_memory(stack + PAGE + 64, "stack", 1);
  in_memory((char *)malloc(AREA) + PAGE + 64, "heap", 1);
  in_memory(pages(MAP_SHARED | MAP_ANONYMOUS, -1) + 100, "shared", 1);
  in_memory(pages(MAP_PRIVATE | MAP_ANONYMOUS, -1) + PAGE - BORDER, "page-border", 1);
  in_memory(pages(MAP_PRIVATE | MAP_ANONYMOUS, -1) + 200, "wide", 2);

  /* two mappings side by side: one page of another protection */
  char *halves = pages(MAP_PRIVATE | MAP_ANONYMOUS, -1);
  in_memory(halves + PAGE - BORDER, "mapping-border", 1);
  if (mprotect(halves + PAGE, PAGE, PROT_READ)) abort();

  int memfd = memfd_create("planted", 0);
  if (memfd < 0 || ftruncate(memfd, AREA)) abort();
  in_memory(pages(MAP_SHARED, memfd) + 300, "memfd", 1);

  if (pipe(both)) abort();
  written(both[1], "pipe");
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, both)) abort();
  written(both[0], "socket");

  if (chdir(folder)) abort();
  int ghost = open("planted-ghost", O_RDWR | O_CREAT, 0600);
  written(ghost, "deleted-file");
  unlink("planted-ghost");
  int changed = open("planted-file", O_RDWR | O_CREAT, 0600);
  written(changed, "changed-file");

  char *own = pages(MAP_PRIVATE | MAP_ANONYMOUS, -1);
  own[0] = 1; /* there before the fork, so that the child writes to a copy */
  fflush(stdout);
  int turn[2];
  if (pipe(turn)) abort();
  if (fork() == 0) {
    in_memory(own + 400, "child", 1);
    fflush(stdout);
    if (write(turn[1], "x", 1) != 1) abort();
    for (;;) pause();
  }
  char x;
  if (read(turn[0], &x, 1) != 1) abort();
  puts("ready");
  fflush(stdout);
  for (;;) pause();
}
