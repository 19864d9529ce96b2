#include "kernels.h"

#define LANES kernels_hash_lanes

/// A word of each of the messages that are hashed side by side.
typedef uint64_t lanes __attribute__((vector_size(8 * LANES), aligned(8), may_alias));

#define ROTATED(v, bits) ((v) << (bits) | (v) >> (64 - (bits)))

#define ROUND              \
    v0 += v1;              \
    v2 += v3;              \
    v1 = ROTATED(v1, 13) ^ v0; \
    v3 = ROTATED(v3, 16) ^ v2; \
    v0 = ROTATED(v0, 32);  \
    v2 += v1;              \
    v0 += v3;              \
    v1 = ROTATED(v1, 17) ^ v2; \
    v3 = ROTATED(v3, 21) ^ v0; \
    v2 = ROTATED(v2, 32);

/// Keys of the messages from `first` on, whose run is `run` or a later one.
static inline __attribute__((always_inline)) void gather(const struct kernels_messages *m, size_t first, size_t run, lanes *key0, lanes *key1) {
    uint64_t a[LANES], b[LANES];
    for (size_t lane = 0; lane < LANES; lane++) {
        while (run + 1 < m->runs && (size_t)m->ends[run] <= first + lane) run++;
        a[lane] = m->keys[2 * run];
        b[lane] = m->keys[2 * run + 1];
    }
    *key0 = *(const lanes *)a;
    *key1 = *(const lanes *)b;
}

/// One text for all instructions: always inlined, so that each caller compiles it for its own.
static inline __attribute__((always_inline)) void hash(const struct kernels_messages *m, uint64_t *target) {
    if (m->runs == 0) return;
    size_t count = (size_t)m->ends[m->runs - 1];
    uint64_t last = (uint64_t)(8 * m->word_count + m->tail_bytes) << 56 | m->tail;
    size_t run = 0;
    for (size_t first = 0; first < count; first += LANES) {
        while ((size_t)m->ends[run] <= first) run++;
        lanes key0, key1;
        if (run + 1 == m->runs || (size_t)m->ends[run] >= first + LANES) {
            key0 = m->keys[2 * run] - (lanes){0};
            key1 = m->keys[2 * run + 1] - (lanes){0};
        } else {
            gather(m, first, run, &key0, &key1);
        }
        lanes v0 = key0 ^ 0x736f6d6570736575;
        lanes v1 = key1 ^ 0x646f72616e646f6d ^ 0xee;
        lanes v2 = key0 ^ 0x6c7967656e657261;
        lanes v3 = key1 ^ 0x7465646279746573;
        for (size_t w = 0; w < m->word_count; w++) {
            lanes word = *(const lanes *)(m->words[w] + first);
            v3 ^= word;
            ROUND ROUND
            v0 ^= word;
        }
        v3 ^= last;
        ROUND ROUND
        v0 ^= last;
        v2 ^= 0xee;
        ROUND ROUND ROUND ROUND
        *(lanes *)(target + first) = v0 ^ v1 ^ v2 ^ v3;
    }
}

#if defined(__x86_64__)

__attribute__((target("avx2"))) static void hash_avx2(const struct kernels_messages *m, uint64_t *target) {
    hash(m, target);
}

__attribute__((target("avx512f,avx512vl"))) static void hash_avx512(
    const struct kernels_messages *m, uint64_t *target) {
    hash(m, target);
}

bool kernels_have(enum kernels_instructions instructions) {
    __builtin_cpu_init();
    switch (instructions) {
    case kernels_portable: return true;
    case kernels_avx2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case kernels_avx512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("fma");
    }
    return false;
}

void kernels_hash(struct kernels_messages messages, uint64_t *target, enum kernels_instructions instructions) {
    switch (instructions) {
    case kernels_avx512: return hash_avx512(&messages, target);
    case kernels_avx2: return hash_avx2(&messages, target);
    case kernels_portable: return hash(&messages, target);
    }
}

#else

bool kernels_have(enum kernels_instructions instructions) { return instructions == kernels_portable; }

void kernels_hash(struct kernels_messages messages, uint64_t *target, enum kernels_instructions instructions) {
    (void)instructions;
    hash(&messages, target);
}

#endif
