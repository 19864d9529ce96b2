#include "comparison.h"
#include "sliced_aes.h"

#define TEXT "comparison_text.h"
#include "cipher_paths.h"

size_t kernels_comparison_words(struct kernels_comparisons batch) { return batch.count * (batch.bits * (2 + batch.words) + batch.words); }

void kernels_comparison_generate(
    struct kernels_comparisons batch, const struct kernels_aes_key *fixed, const uint64_t *seeds0, const uint64_t *seeds1,
    const uint64_t *alphas, const uint64_t *betas, uint64_t *corrections, enum kernels_cipher cipher) {
    CHOSEN_CIPHER(cipher, comparison_generate, &batch, fixed, seeds0, seeds1, alphas, betas, corrections);
}

void kernels_comparison_evaluate(
    struct kernels_comparisons batch, const struct kernels_aes_key *fixed, int party, const uint64_t *seeds,
    const uint64_t *corrections, const uint64_t *inputs, uint64_t *target, enum kernels_cipher cipher) {
    CHOSEN_CIPHER(cipher, comparison_evaluate, &batch, fixed, (uint64_t)(party != 0), seeds, corrections, inputs, target);
}

size_t kernels_bit_comparison_words(struct kernels_bit_comparisons batch) {
    return batch.count * 2 * (1 + (batch.bits > 7 ? batch.bits - 7 : 0));
}

void kernels_bit_comparison_generate(
    struct kernels_bit_comparisons batch, const struct kernels_aes_key *fixed, const uint64_t *seeds0, const uint64_t *seeds1,
    const uint64_t *alphas, uint64_t *corrections, enum kernels_cipher cipher) {
    CHOSEN_CIPHER(cipher, bit_comparison_generate, &batch, fixed, seeds0, seeds1, alphas, corrections);
}

void kernels_bit_comparison_evaluate(
    struct kernels_bit_comparisons batch, const struct kernels_aes_key *fixed, int party, const uint64_t *seeds,
    const uint64_t *corrections, const uint64_t *inputs, uint64_t *target, enum kernels_cipher cipher) {
    CHOSEN_CIPHER(cipher, bit_comparison_evaluate, &batch, fixed, (uint64_t)(party != 0), seeds, corrections, inputs, target);
}
