#include "galois_ring.h"

#define TEXT "galois_ring_text.h"
#include "paths.h"

void kernels_galois_multiply(
    const uint64_t *elements, const uint64_t *patterns, size_t count, uint64_t *target, enum kernels_instructions instructions) {
    CHOSEN(instructions, galois_multiply, elements, patterns, count, target);
}

void kernels_galois_fold(
    const uint64_t *elements, size_t rows, size_t count, uint64_t pattern, bool descending, uint64_t *target,
    enum kernels_instructions instructions) {
    CHOSEN(instructions, galois_fold, elements, rows, count, pattern, descending, target);
}

void kernels_galois_collapse(const uint64_t table[64 * 64], uint64_t target[64], enum kernels_instructions instructions) {
    CHOSEN(instructions, galois_collapse, table, target);
}

void kernels_galois_expand(const uint64_t *patterns, size_t count, uint64_t *target, enum kernels_instructions instructions) {
    CHOSEN(instructions, galois_expand, patterns, count, target);
}
