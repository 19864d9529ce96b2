// For cipher_paths.h: sixteen blocks at a time, as four vectors of eight words, of which each block has two: its first eight bytes as a number, then its last.

typedef uint64_t NAMED(lanes) __attribute__((vector_size(64), aligned(8), may_alias));
#define lanes NAMED(lanes)

/// Vectors of a group of blocks.
#define GROUP 4

/// What holds a number in each block's second word, and zero in its first; the other way round.
#define IN_SECOND(x) ((lanes){0, (x), 0, (x), 0, (x), 0, (x)})
#define IN_FIRST(x) ((lanes){(x), 0, (x), 0, (x), 0, (x), 0})

ALWAYS lanes NAMED(exchanged)(lanes x) { return __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6); }
/// Each block's first word in both.
ALWAYS lanes NAMED(firsts)(lanes x) { return __builtin_shufflevector(x, x, 0, 0, 2, 2, 4, 4, 6, 6); }

ALWAYS void NAMED(encrypt_group)(const struct kernels_aes_key *key, lanes x[GROUP]) {
#if CIPHER == 2
    __m512i state[GROUP];
    __m512i round_key = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)key->rounds[0]));
#pragma clang loop unroll(full)
    for (int i = 0; i < GROUP; i++) state[i] = _mm512_xor_si512((__m512i)x[i], round_key);
#pragma clang loop unroll(full)
    for (int round = 1; round < 10; round++) {
        round_key = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)key->rounds[round]));
#pragma clang loop unroll(full)
        for (int i = 0; i < GROUP; i++) state[i] = _mm512_aesenc_epi128(state[i], round_key);
    }
    round_key = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)key->rounds[10]));
#pragma clang loop unroll(full)
    for (int i = 0; i < GROUP; i++) x[i] = (lanes)_mm512_aesenclast_epi128(state[i], round_key);
#elif CIPHER == 1 && defined(__x86_64__)
    for (int half = 0; half < 2; half++) {
        __m128i *blocks = (__m128i *)(x + 2 * half);
        __m128i state[8];
        __m128i round_key = _mm_loadu_si128((const __m128i *)key->rounds[0]);
#pragma clang loop unroll(full)
        for (int i = 0; i < 8; i++) state[i] = _mm_xor_si128(_mm_loadu_si128(blocks + i), round_key);
#pragma clang loop unroll(full)
        for (int round = 1; round < 10; round++) {
            round_key = _mm_loadu_si128((const __m128i *)key->rounds[round]);
#pragma clang loop unroll(full)
            for (int i = 0; i < 8; i++) state[i] = _mm_aesenc_si128(state[i], round_key);
        }
        round_key = _mm_loadu_si128((const __m128i *)key->rounds[10]);
#pragma clang loop unroll(full)
        for (int i = 0; i < 8; i++) _mm_storeu_si128(blocks + i, _mm_aesenclast_si128(state[i], round_key));
    }
#elif CIPHER == 1
    for (int half = 0; half < 2; half++) {
        uint8_t *blocks = (uint8_t *)(x + 2 * half);
        uint8x16_t state[8];
#pragma clang loop unroll(full)
        for (int i = 0; i < 8; i++) state[i] = vld1q_u8(blocks + 16 * i);
#pragma clang loop unroll(full)
        for (int round = 0; round < 9; round++) {
            uint8x16_t round_key = vld1q_u8(key->rounds[round]);
#pragma clang loop unroll(full)
            for (int i = 0; i < 8; i++) state[i] = vaesmcq_u8(vaeseq_u8(state[i], round_key));
        }
        uint8x16_t before = vld1q_u8(key->rounds[9]), last = vld1q_u8(key->rounds[10]);
#pragma clang loop unroll(full)
        for (int i = 0; i < 8; i++) vst1q_u8(blocks + 16 * i, veorq_u8(vaeseq_u8(state[i], before), last));
    }
#else
    for (int half = 0; half < 2; half++) {
        slice state[8];
        for (int i = 0; i < 8; i++) state[i] = ((const slice *)(x + 2 * half))[i];
        sliced_encrypt(key->slices, state);
        for (int i = 0; i < 8; i++) ((slice *)(x + 2 * half))[i] = state[i];
    }
#endif
}

/// sigma of `kernels_aes_hash`.
ALWAYS lanes NAMED(sigma)(lanes x) { return NAMED(exchanged)(x) ^ (x & IN_SECOND(~0ull)); }

/// The hash of a group, in place.
ALWAYS void NAMED(hash_group)(const struct kernels_aes_key *key, lanes x[GROUP]) {
    lanes turned[GROUP];
#pragma clang loop unroll(full)
    for (int i = 0; i < GROUP; i++) x[i] = turned[i] = NAMED(sigma)(x[i]);
    NAMED(encrypt_group)(key, x);
#pragma clang loop unroll(full)
    for (int i = 0; i < GROUP; i++) x[i] ^= turned[i];
}
