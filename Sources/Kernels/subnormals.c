#include "subnormals.h"

#if defined(__x86_64__)
#include <immintrin.h>

// Flush to zero, and take subnormal operands for zero.
static const unsigned flush = 0x8040;

uint64_t kernels_flush_subnormals(void) {
    unsigned before = _mm_getcsr();
    _mm_setcsr(before | flush);
    return before & flush;
}

void kernels_restore_subnormals(uint64_t before) {
    _mm_setcsr((_mm_getcsr() & ~flush) | (unsigned)before);
}

#elif defined(__aarch64__)

// FZ.
static const uint64_t flush = (uint64_t)1 << 24;

uint64_t kernels_flush_subnormals(void) {
    uint64_t before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    __asm__ volatile("msr fpcr, %0" : : "r"(before | flush));
    return before & flush;
}

void kernels_restore_subnormals(uint64_t before) {
    uint64_t now;
    __asm__ volatile("mrs %0, fpcr" : "=r"(now));
    __asm__ volatile("msr fpcr, %0" : : "r"((now & ~flush) | before));
}

#else

uint64_t kernels_flush_subnormals(void) { return 0; }
void kernels_restore_subnormals(uint64_t before) { (void)before; }

#endif
