#include "binary_field.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

/// A product of two polynomials of 64 bits.
struct field_product {
    uint64_t low, high;
};

/// x^64 is x^4 + x^3 + x + 1.
static inline __attribute__((always_inline)) uint64_t field_reduced(struct field_product p) {
    uint64_t over = p.high >> 63 ^ p.high >> 61 ^ p.high >> 60;
    uint64_t all = p.high ^ over;
    return p.low ^ all ^ all << 1 ^ all << 3 ^ all << 4;
}

/// The low half: of every fourth bit each, so that carries of the sums fall into the holes and are cut.
static inline __attribute__((always_inline)) uint64_t field_low(uint64_t x, uint64_t y) {
    const uint64_t m0 = 0x1111111111111111, m1 = m0 << 1, m2 = m0 << 2, m3 = m0 << 3;
    uint64_t x0 = x & m0, x1 = x & m1, x2 = x & m2, x3 = x & m3, y0 = y & m0, y1 = y & m1, y2 = y & m2, y3 = y & m3;
    uint64_t z0 = x0 * y0 ^ x1 * y3 ^ x2 * y2 ^ x3 * y1, z1 = x0 * y1 ^ x1 * y0 ^ x2 * y3 ^ x3 * y2;
    uint64_t z2 = x0 * y2 ^ x1 * y1 ^ x2 * y0 ^ x3 * y3, z3 = x0 * y3 ^ x1 * y2 ^ x2 * y1 ^ x3 * y0;
    return (z0 & m0) | (z1 & m1) | (z2 & m2) | (z3 & m3);
}

static inline __attribute__((always_inline)) uint64_t field_reversed(uint64_t x) {
    x = (x & 0x5555555555555555) << 1 | (x >> 1 & 0x5555555555555555);
    x = (x & 0x3333333333333333) << 2 | (x >> 2 & 0x3333333333333333);
    x = (x & 0x0f0f0f0f0f0f0f0f) << 4 | (x >> 4 & 0x0f0f0f0f0f0f0f0f);
    return __builtin_bswap64(x);
}

static inline __attribute__((always_inline)) struct field_product field_portable(uint64_t x, uint64_t y) {
    return (struct field_product){field_low(x, y), field_reversed(field_low(field_reversed(x), field_reversed(y))) >> 1};
}

#define JOINED(a, b) a##_##b
#define NAMED(name) JOINED(name, portable)
#define MULTIPLY field_portable
#include "binary_field_text.h"
#undef NAMED
#undef MULTIPLY

#if defined(__x86_64__)
#define HAS_CARRYLESS 1
#pragma clang attribute push(__attribute__((target("pclmul,sse4.1"))), apply_to = function)

static inline __attribute__((always_inline)) struct field_product field_instructions(uint64_t x, uint64_t y) {
    __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)x), _mm_cvtsi64_si128((long long)y), 0);
    return (struct field_product){(uint64_t)_mm_cvtsi128_si64(product), (uint64_t)_mm_extract_epi64(product, 1)};
}

#define NAMED(name) JOINED(name, instructions)
#define MULTIPLY field_instructions
#include "binary_field_text.h"
#undef NAMED
#undef MULTIPLY
#pragma clang attribute pop

#elif defined(__aarch64__) && defined(__ARM_FEATURE_AES)
#define HAS_CARRYLESS 1

static inline __attribute__((always_inline)) struct field_product field_instructions(uint64_t x, uint64_t y) {
    uint64x2_t product = vreinterpretq_u64_p128(vmull_p64((poly64_t)x, (poly64_t)y));
    return (struct field_product){vgetq_lane_u64(product, 0), vgetq_lane_u64(product, 1)};
}

#define NAMED(name) JOINED(name, instructions)
#define MULTIPLY field_instructions
#include "binary_field_text.h"
#undef NAMED
#undef MULTIPLY
#endif

#undef JOINED

#if defined(HAS_CARRYLESS)
#define CHOSEN_CARRYLESS(carryless, name, ...) \
    ((carryless) == kernels_carryless_instructions ? name##_instructions(__VA_ARGS__) : name##_portable(__VA_ARGS__))
#else
#define CHOSEN_CARRYLESS(carryless, name, ...) ((void)(carryless), name##_portable(__VA_ARGS__))
#endif

#define TEXT "field_map_text.h"
#include "paths.h"

bool kernels_have_carryless(enum kernels_carryless carryless) {
    if (carryless == kernels_carryless_portable) return true;
#if defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
#elif defined(HAS_CARRYLESS)
    return true;
#else
    return false;
#endif
}

void kernels_field_multiply(const uint64_t *a, const uint64_t *b, size_t count, uint64_t *target, enum kernels_carryless carryless) {
    CHOSEN_CARRYLESS(carryless, field_multiply, a, b, count, target);
}

uint64_t kernels_field_inner(const uint64_t *a, const uint64_t *b, size_t count, enum kernels_carryless carryless) {
    return CHOSEN_CARRYLESS(carryless, field_inner, a, b, count);
}

void kernels_field_combine(
    const uint64_t *factors, size_t rows, const uint64_t *a, size_t count, uint64_t *target, enum kernels_carryless carryless) {
    CHOSEN_CARRYLESS(carryless, field_combine, factors, rows, a, count, target);
}

void kernels_field_gates(
    const uint64_t *weights, const uint64_t *xa, const uint64_t *ya, const uint64_t *xb, const uint64_t *yb, size_t count,
    uint64_t target[127], enum kernels_carryless carryless) {
    CHOSEN_CARRYLESS(carryless, field_gates, weights, xa, ya, xb, yb, count, target);
}

void kernels_field_map(
    const uint64_t factors[64], const uint64_t *words, size_t count, uint64_t *target, enum kernels_instructions instructions) {
    CHOSEN(instructions, field_map, factors, words, count, target);
}
