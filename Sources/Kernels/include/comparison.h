#pragma once

#include "aes.h"

/// How many comparison functions are evaluated side by side: batches are whole multiples of it.
enum { kernels_comparison_lanes = 16 };

/// A batch of distributed comparison functions f(x) = beta where x < alpha, 0 elsewhere: x and alpha of `bits` bits, beta a vector of words modulo 2^64 (Boyle, Chandran, Gilboa, Gupta,
/// Ishai, Kumar and Rathee 2021, figure 1).
struct kernels_comparisons {
    /// How many: a multiple of `kernels_comparison_lanes`.
    size_t count;
    /// Bits of an input, 1 to 64. What an input has above is not read.
    size_t bits;
    /// Words of beta, 1 to 4.
    size_t words;
};

/// How many words the corrections, which both parties have, of a batch are: count (bits (2 + words) + words).
size_t kernels_comparison_words(struct kernels_comparisons batch);

/// Makes keys: from both parties' seeds, two random words a function each, `alphas` and `betas` (word w of function i is `betas[w * count + i]`), the corrections.
void kernels_comparison_generate(
    struct kernels_comparisons batch, const struct kernels_aes_key *fixed, const uint64_t *seeds0, const uint64_t *seeds1,
    const uint64_t *alphas, const uint64_t *betas, uint64_t *corrections, enum kernels_cipher cipher);

/// Writes a party's share of each function at its input: word w of function i is `target[w * count + i]`, and both parties' shares sum to beta or 0.
void kernels_comparison_evaluate(
    struct kernels_comparisons batch, const struct kernels_aes_key *fixed, int party, const uint64_t *seeds,
    const uint64_t *corrections, const uint64_t *inputs, uint64_t *target, enum kernels_cipher cipher);

/// A batch of comparison functions whose value is one bit: f(x) = 1 where x < alpha, else 0, shared by exclusive or. Smaller and faster than those of words: half the hashes, and the tree ends
/// seven levels early.
struct kernels_bit_comparisons {
    /// How many: a multiple of `kernels_comparison_lanes`.
    size_t count;
    /// Bits of an input, 1 to 64.
    size_t bits;
};

/// How many words the corrections of a batch are: 2 count (bits - 6), or 2 count where there are fewer than seven bits.
size_t kernels_bit_comparison_words(struct kernels_bit_comparisons batch);

/// Makes keys, as `kernels_comparison_generate`.
void kernels_bit_comparison_generate(
    struct kernels_bit_comparisons batch, const struct kernels_aes_key *fixed, const uint64_t *seeds0, const uint64_t *seeds1,
    const uint64_t *alphas, uint64_t *corrections, enum kernels_cipher cipher);

/// Writes a party's share of each function at its input, 0 or 1; the exclusive or of both parties' is the value. Inputs are numbers that both parties know: a bit is looked up by them.
void kernels_bit_comparison_evaluate(
    struct kernels_bit_comparisons batch, const struct kernels_aes_key *fixed, int party, const uint64_t *seeds,
    const uint64_t *corrections, const uint64_t *inputs, uint64_t *target, enum kernels_cipher cipher);
