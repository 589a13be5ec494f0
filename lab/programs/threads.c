/* Eight threads, each blocked for ever with locals of known values, for a debugger to find. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

enum { THREADS = 8 };
static pthread_barrier_t started;
static __thread int own_number;

static void wait_for_ever(int number) {
  volatile uint64_t square = (uint64_t)number * number;
  volatile char label[16];
  snprintf((char *)label, sizeof label, "LOCAL-OF-%d", number);
  own_number = number;
  pthread_barrier_wait(&started);
  for (;;) pause();
  (void)square;
}

static void *work(void *argument) {
  int number = (int)(intptr_t)argument;
  char name[16];
  snprintf(name, sizeof name, "worker-%d", number);
  pthread_setname_np(pthread_self(), name);
  wait_for_ever(number);
  return NULL;
}

int main(void) {
  pthread_t threads[THREADS];
  pthread_barrier_init(&started, NULL, THREADS + 1);
  for (intptr_t i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, work, (void *)i);
  pthread_barrier_wait(&started);
  puts("ready");
  fflush(stdout);
  for (;;) pause();
}
