/* Every register has a value written here, and the thread is in pause(2), entered by an instruction of its
   own: only rax, rcx and r11 are the kernel's.  It never comes back. */
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>

static uint64_t vectors[16][4] __attribute__((aligned(32)));
static const double x87[3] = {1.5, -2.25, 1024.0};

static void fill(void) {
  for (uint64_t number = 0; number < 16; number++)
    for (uint64_t lane = 0; lane < 4; lane++) vectors[number][lane] = 0xa000000000000000 | number << 8 | lane;
}

#define EACH_VECTOR(LOAD) \
  LOAD(0) LOAD(1) LOAD(2) LOAD(3) LOAD(4) LOAD(5) LOAD(6) LOAD(7) \
  LOAD(8) LOAD(9) LOAD(10) LOAD(11) LOAD(12) LOAD(13) LOAD(14) LOAD(15)
#define YMM(N) "vmovdqa " #N "*32(%0), %%ymm" #N "\n"
#define XMM(N) "movdqa " #N "*32(%0), %%xmm" #N "\n"

int main(void) {
  fill();
  printf("fact vectors \"%s\"\n", __builtin_cpu_supports("avx") ? "ymm" : "xmm");
  puts("ready");
  fflush(stdout);
  /* a stack of three, -2.25 * 2 ^ 0 and so on: the last one loaded is st(0) */
  __asm__ volatile("fninit\n fldl 0(%0)\n fldl 8(%0)\n fldl 16(%0)\n" : : "r"(x87) : "memory");
  if (__builtin_cpu_supports("avx"))
    __asm__ volatile(EACH_VECTOR(YMM) : : "r"(vectors) : "memory");
  else
    __asm__ volatile(EACH_VECTOR(XMM) : : "r"(vectors) : "memory");
  __asm__ volatile(
      "movabs $0x0b0b0b0b0b0b0b0b, %%rbx\n"
      "movabs $0x0d0d0d0d0d0d0d0d, %%rdx\n"
      "movabs $0x5151515151515151, %%rsi\n"
      "movabs $0xd1d1d1d1d1d1d1d1, %%rdi\n"
      "movabs $0xbbbbbbbbbbbbbbbb, %%rbp\n"
      "movabs $0x0808080808080808, %%r8\n"
      "movabs $0x0909090909090909, %%r9\n"
      "movabs $0x1010101010101010, %%r10\n"
      "movabs $0x1212121212121212, %%r12\n"
      "movabs $0x1313131313131313, %%r13\n"
      "movabs $0x1414141414141414, %%r14\n"
      "movabs $0x1515151515151515, %%r15\n"
      "1: mov %0, %%eax\n"
      "syscall\n"
      "jmp 1b\n"
      :
      : "i"(SYS_pause));
  __builtin_unreachable();
}
