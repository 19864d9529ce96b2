#pragma once

#include "kernels.h"

/// How polynomials over GF(2) are multiplied. All ways give the same bits, and none has a branch or an address that depends on a number.
enum kernels_carryless {
    /// Integer products of numbers with holes (Pornin, BearSSL's `ghash_ctmul64`).
    kernels_carryless_portable = 0,
    /// PCLMULQDQ, or PMULL of ARMv8.
    kernels_carryless_instructions = 1,
} __attribute__((enum_extensibility(closed)));

/// Whether this processor has it.
bool kernels_have_carryless(enum kernels_carryless carryless);

// Numbers of 64 bits are elements of GF(2^64) = GF(2)[x] / (x^64 + x^4 + x^3 + x + 1): bit i is the factor of x^i.

/// Writes a[i] b[i] to target[i], which may be a or b.
void kernels_field_multiply(const uint64_t *a, const uint64_t *b, size_t count, uint64_t *target, enum kernels_carryless carryless);

/// The sum of a[i] b[i].
uint64_t kernels_field_inner(const uint64_t *a, const uint64_t *b, size_t count, enum kernels_carryless carryless);

/// Writes the sum over u of factors[u] a[u * count + i] to target[i], apart from a.
void kernels_field_combine(
    const uint64_t *factors, size_t rows, const uint64_t *a, size_t count, uint64_t *target, enum kernels_carryless carryless);

/// What the gates of words i, 64 a word, give as polynomials of degree 126: with A(X) = sum over u of x^u a_u X^u and B(X) = sum over v of b_v X^(63 - v) for the bits of words a and b, the
/// coefficients of the sum over i of weights[i] (A B of xa[i] and yb[i] + A B of ya[i] and xb[i]). Coefficient 63 is the weighted sum of (xa & yb) ^ (ya & xb).
void kernels_field_gates(
    const uint64_t *weights, const uint64_t *xa, const uint64_t *ya, const uint64_t *xb, const uint64_t *yb, size_t count,
    uint64_t target[127], enum kernels_carryless carryless);

/// Writes the sum of factors[u] over the bits u that are set in words[i] to target[i], which may be words.
void kernels_field_map(
    const uint64_t factors[64], const uint64_t *words, size_t count, uint64_t *target, enum kernels_instructions instructions);
