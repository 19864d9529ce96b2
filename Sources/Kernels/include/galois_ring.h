#pragma once

#include "kernels.h"

// Elements of Z/2^64[x] / (x^64 + x^4 + x^3 + x + 1) are 64 words each: word i is the factor of x^i. Results are the same whatever the instructions. Addresses and steps depend on sizes and patterns alone,
// never on elements.

/// Multiplies each element by the one of zeros and ones whose bits are its pattern. `target` is apart from `elements`.
void kernels_galois_multiply(
    const uint64_t *elements, const uint64_t *patterns, size_t count, uint64_t *target, enum kernels_instructions instructions);

/// Writes the sum over rows of row u times c^u, or c^(rows - 1 - u) where it is `descending`, c being the element of zeros and ones whose bits are `pattern`: rows of `count` elements each.
void kernels_galois_fold(
    const uint64_t *elements, size_t rows, size_t count, uint64_t pattern, bool descending, uint64_t *target,
    enum kernels_instructions instructions);

/// Writes the element that is the sum of table[64 i + j] x^(i + j).
void kernels_galois_collapse(const uint64_t table[64 * 64], uint64_t target[64], enum kernels_instructions instructions);

/// Writes each pattern's bits as words, 64 a pattern.
void kernels_galois_expand(const uint64_t *patterns, size_t count, uint64_t *target, enum kernels_instructions instructions);
