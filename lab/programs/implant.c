/* What an intruder leaves running, without anything that could do harm: it prints who and where it is, and
   sleeps.  It opens no connection, reads no file but itself and starts nothing but itself.

   implant stay NAME ...   is there; further arguments are only there to be seen
   implant memfd           copies itself into a memfd and runs from there, under the name of a kernel thread
   implant loot            maps memory that is writable and executable, puts its own ELF image there, and keeps
                           what it is given on standard input in its heap

   Each prints lines `fact NAME PID ADDRESS`. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROOM = 1 << 16 };
#define MASK "kworker/0:1"

static void fact(const char *name, const void *address) {
  printf("fact %s %d %p\n", name, (int)getpid(), address);
}

/* Let go of the shell that started it, as daemons do. */
static void stay(void) {
  fflush(stdout);
  int null = open("/dev/null", O_RDWR);
  for (int fd = 0; fd < 3; fd++) dup2(null, fd);
  close(null);
  for (;;) pause();
}

/* Its own file, put where there is room for it; returns the bytes. */
static size_t itself(char *at, size_t room) {
  int fd = open("/proc/self/exe", O_RDONLY);
  ssize_t size = read(fd, at, room);
  if (size <= 0) abort();
  close(fd);
  return size;
}

static void from_memfd(char **environment) {
  char *masked[] = {"[" MASK "]", "stay", "memfd", NULL};
  char *image = malloc(ROOM);
  size_t size = itself(image, ROOM);
  int fd = memfd_create("x", MFD_CLOEXEC);
  if (fd < 0 || write(fd, image, size) != (ssize_t)size) abort();
  fexecve(fd, masked, environment);
  abort();
}

static void loot(void) {
  char *code = mmap(NULL, ROOM, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char *given = calloc(1, ROOM);
  ssize_t size, all = 0;
  if (code == MAP_FAILED) abort();
  itself(code, ROOM);
  while ((size = read(0, given + all, ROOM - 1 - all)) > 0) all += size;
  fact("elf", code);
  fact("token", strstr(given, "eyJ"));
  fact("command", strstr(given, "criu"));
  fact("key", strstr(given, "-----"));
}

int main(int argc, char **argv, char **environment) {
  const char *what = argc > 1 ? argv[1] : "stay";
  if (!strcmp(what, "memfd")) from_memfd(environment);
  if (!strcmp(what, "loot")) loot();
  if (argv[0][0] == '[') prctl(PR_SET_NAME, MASK);
  if (!strcmp(what, "stay")) fact(argc > 2 ? argv[2] : "stay", (void *)main);
  stay();
}
