// For cipher_paths.h: what aes.h declares.

#include "blocks_text.h"

/// What is done with each block.
#define ENCRYPT 0
#define HASH 1
#define TWEAKED 2

ALWAYS void NAMED(apply_group)(const struct kernels_aes_key *key, const lanes *tweaks, int how, lanes x[GROUP]) {
    if (how == ENCRYPT) NAMED(encrypt_group)(key, x);
    if (how == HASH) NAMED(hash_group)(key, x);
    if (how == TWEAKED) {
        lanes once[GROUP];
        NAMED(encrypt_group)(key, x);
        for (int i = 0; i < GROUP; i++) {
            once[i] = x[i];
            x[i] ^= tweaks[i];
        }
        NAMED(encrypt_group)(key, x);
        for (int i = 0; i < GROUP; i++) x[i] ^= once[i];
    }
}

ALWAYS void NAMED(apply)(
    const struct kernels_aes_key *key, const uint8_t *source, const uint64_t *tweaks, size_t blocks, int how, uint8_t *target) {
    for (size_t first = 0; first < blocks; first += 4 * GROUP) {
        size_t count = blocks - first < 4 * GROUP ? blocks - first : 4 * GROUP;
        lanes x[GROUP] = {{0}}, i[GROUP] = {{0}};
        __builtin_memcpy(x, source + 16 * first, 16 * count);
        if (tweaks) __builtin_memcpy(i, tweaks + 2 * first, 16 * count);
        NAMED(apply_group)(key, i, how, x);
        __builtin_memcpy(target + 16 * first, x, 16 * count);
    }
}

static void NAMED(aes_encrypt)(const struct kernels_aes_key *key, const uint8_t *source, size_t blocks, uint8_t *target) {
    NAMED(apply)(key, source, NULL, blocks, ENCRYPT, target);
}

static void NAMED(aes_hash)(const struct kernels_aes_key *key, const uint8_t *source, size_t blocks, uint8_t *target) {
    NAMED(apply)(key, source, NULL, blocks, HASH, target);
}

static void NAMED(aes_tweaked_hash)(
    const struct kernels_aes_key *key, const uint8_t *source, const uint64_t *tweaks, size_t blocks, uint8_t *target) {
    NAMED(apply)(key, source, tweaks, blocks, TWEAKED, target);
}

static void NAMED(aes_fill)(const struct kernels_aes_key *key, uint64_t stream, uint64_t first, uint64_t *target, size_t count) {
    lanes counters = IN_SECOND(stream) | (lanes){first, 0, first + 1, 0, first + 2, 0, first + 3, 0};
    for (size_t word = 0; word < count; word += 8 * GROUP) {
        lanes x[GROUP];
#pragma clang loop unroll(full)
        for (int i = 0; i < GROUP; i++) x[i] = counters + IN_FIRST((uint64_t)(4 * i));
        counters += IN_FIRST((uint64_t)(4 * GROUP));
        NAMED(encrypt_group)(key, x);
        if (count - word >= 8 * GROUP) {
#pragma clang loop unroll(full)
            for (int i = 0; i < GROUP; i++) *(lanes *)(target + word + 8 * i) = x[i];
        } else {
            __builtin_memcpy(target + word, x, 8 * (count - word));
        }
    }
}

#undef ENCRYPT
#undef HASH
#undef TWEAKED
#undef lanes
#undef GROUP
#undef IN_SECOND
#undef IN_FIRST
