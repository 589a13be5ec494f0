/* A chain of calls whose arguments and locals are of every basic kind and have the values written here.

   It ends in pause(2): main -> outer -> middle -> inner. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum colour { RED = 1, GREEN = 2, BLUE = 4 };

struct point {
  int x, y;
};

struct node {
  int value;
  const char *name;
  struct node *next;
};

struct packed {
  unsigned low : 3, middle : 5, high : 8;
  union {
    uint32_t word;
    uint8_t bytes[4];
  };
  struct point corner;
  struct point *pointer;
};

int global_number = 424242;
const char *global_text = "GLOBAL-TEXT";
double global_table[4] = {0.5, 1.25, -2.75, 1e100};
static struct point static_point = {-7, 70};
__thread long thread_local_number = 987654321;
static __thread char thread_local_text[24] = "THREAD-LOCAL-TEXT";
uint64_t zeroed_then_set;

__attribute__((noinline)) static int inner(const char *text, double ratio, struct point by_value, bool flag) {
  static int calls = 41;
  char buffer[32] = "BUFFER-ON-THE-STACK";
  float half = 0.5f;
  long double precise = 3.25L;
  volatile int answer = 42;
  int grid[2][3] = {{1, 2, 3}, {40, 50, 60}};
  calls++;
  puts("ready");
  fflush(stdout);
  for (;;) pause();
  return answer + grid[1][2] + (int)half + (int)precise + buffer[0] + text[0] + (int)ratio + by_value.x + flag + calls;
}

__attribute__((noinline)) static int middle(struct node *list, const struct packed *record, enum colour colour) {
  int64_t negative = -1234567890123456789;
  uint64_t large = 0xfedcba9876543210;
  uint8_t byte = 200;
  short small = -12345;
  char letter = 'Q';
  int *heap = malloc(5 * sizeof *heap);
  for (int i = 0; i < 5; i++) heap[i] = 1000 + i;
  int got = inner(list->next->name, 6.02214076e23, record->corner, true);
  return got + (int)negative + (int)large + byte + small + letter + heap[4] + colour;
}

__attribute__((noinline)) static int outer(int first, long second) {
  struct node last = {30, "third", NULL}, between = {20, "second", &last}, head = {10, "first", &between};
  struct packed record = {.low = 5, .middle = 17, .high = 199, .word = 0x04030201};
  record.corner = (struct point){11, 22};
  record.pointer = &static_point;
  int sum = first + (int)second;
  return middle(&head, &record, GREEN | BLUE) + sum;
}

int main(int argc, char **argv) {
  zeroed_then_set = 0x1122334455667788;
  thread_local_number += argc > 1000;
  return outer(5, 6000000000L) + (argv[0] == NULL) + thread_local_text[0];
}
