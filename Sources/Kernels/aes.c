#include "aes.h"
#include "sliced_aes.h"

#define TEXT "aes_text.h"
#include "cipher_paths.h"

bool kernels_have_cipher(enum kernels_cipher cipher) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    switch (cipher) {
    case kernels_cipher_sliced: return true;
    case kernels_cipher_instructions:
        return __builtin_cpu_supports("aes") && __builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("ssse3");
    case kernels_cipher_wide:
        return __builtin_cpu_supports("aes") && __builtin_cpu_supports("vaes") && __builtin_cpu_supports("avx512f") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
    }
    return false;
#elif defined(__aarch64__) && defined(__ARM_FEATURE_AES)
    return cipher != kernels_cipher_wide;
#else
    return cipher == kernels_cipher_sliced;
#endif
}

/// The S-box of each byte of x.
static void substitute(uint8_t x[16]) {
    slice slices[8] = {{0}};
    slices[0] = *(const slice *)x;
    sliced_transpose(slices);
    sliced_sbox(slices);
    sliced_transpose(slices);
    *(slice *)x = slices[0];
}

void kernels_aes_expand(const uint8_t *key, struct kernels_aes_key *target) {
    for (int i = 0; i < 16; i++) target->rounds[0][i] = key[i];
    uint8_t constant = 1;
    for (int round = 1; round <= 10; round++) {
        const uint8_t *before = target->rounds[round - 1];
        uint8_t *now = target->rounds[round];
        uint8_t last[16] = {before[13], before[14], before[15], before[12]};
        substitute(last);
        last[0] ^= constant;
        constant = (uint8_t)(constant << 1 ^ (constant >> 7) * 0x1b);
        for (int i = 0; i < 16; i++) now[i] = before[i] ^ (i < 4 ? last[i] : now[i - 4]);
    }
    for (int round = 0; round <= 10; round++) {
        for (int bit = 0; bit < 8; bit++) {
            for (int i = 0; i < 16; i++) target->slices[round][bit][i] = (uint8_t)-(target->rounds[round][i] >> bit & 1);
        }
    }
}

void kernels_aes_encrypt(
    const struct kernels_aes_key *key, const uint8_t *source, size_t blocks, uint8_t *target, enum kernels_cipher cipher) {
    CHOSEN_CIPHER(cipher, aes_encrypt, key, source, blocks, target);
}

void kernels_aes_hash(
    const struct kernels_aes_key *key, const uint8_t *source, size_t blocks, uint8_t *target, enum kernels_cipher cipher) {
    CHOSEN_CIPHER(cipher, aes_hash, key, source, blocks, target);
}

void kernels_aes_tweaked_hash(
    const struct kernels_aes_key *key, const uint8_t *source, const uint64_t *tweaks, size_t blocks, uint8_t *target,
    enum kernels_cipher cipher) {
    CHOSEN_CIPHER(cipher, aes_tweaked_hash, key, source, tweaks, blocks, target);
}

void kernels_aes_fill(
    const struct kernels_aes_key *key, uint64_t stream, uint64_t first, uint64_t *target, size_t count, enum kernels_cipher cipher) {
    CHOSEN_CIPHER(cipher, aes_fill, key, stream, first, target, count);
}
