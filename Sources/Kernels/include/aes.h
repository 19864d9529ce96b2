#pragma once

#include "kernels.h"

/// How AES is computed. All ways give the same bits, and none has a branch or an address that depends on a key or a block.
enum kernels_cipher {
    /// Bit slices of eight blocks (Kaesper and Schwabe 2009), in vectors that every processor has.
    kernels_cipher_sliced = 0,
    /// AES-NI, or the AES instructions of ARMv8.
    kernels_cipher_instructions = 1,
    /// VAES with AVX-512: four blocks an instruction.
    kernels_cipher_wide = 2,
} __attribute__((enum_extensibility(closed)));

/// Whether this processor has it.
bool kernels_have_cipher(enum kernels_cipher cipher);

/// AES-128's round keys (FIPS 197, section 5.2), as bytes and as bit slices.
struct kernels_aes_key {
    /// Eleven round keys.
    uint8_t rounds[11][16];
    /// Bit i of each byte of each round key, for eight blocks.
    uint8_t slices[11][8][16];
};

/// Expands a key of 16 bytes, in a time that does not depend on it.
void kernels_aes_expand(const uint8_t *key, struct kernels_aes_key *target);

/// Encrypts blocks of 16 bytes, each for itself (FIPS 197). `target` may be `source`.
void kernels_aes_encrypt(
    const struct kernels_aes_key *key, const uint8_t *source, size_t blocks, uint8_t *target, enum kernels_cipher cipher);

/// Hashes blocks under a key that all know: pi(sigma(x)) xor sigma(x), where pi is AES under the key and sigma(l, r) = (r xor l, l), l being a block's last eight
/// bytes as a number and r its first. Correlation robust where pi is a random permutation (Guo, Katz, Wang and Yu 2020, section 7.3: circular, MMO with sigma).
void kernels_aes_hash(
    const struct kernels_aes_key *key, const uint8_t *source, size_t blocks, uint8_t *target, enum kernels_cipher cipher);

/// As `kernels_aes_hash`, with a tweak for each block that the caller may choose: pi(pi(x) xor i) xor pi(x) (Guo, Katz, Wang and Yu 2020, section 7.4: tweakable circular correlation
/// robust). `tweaks` holds two words for each block.
void kernels_aes_tweaked_hash(
    const struct kernels_aes_key *key, const uint8_t *source, const uint64_t *tweaks, size_t blocks, uint8_t *target,
    enum kernels_cipher cipher);

/// Fills `target` with words 2 `first` ... of a stream: the encryptions of the blocks (first, stream), (first + 1, stream), ..., each two words, little-endian (counter mode, NIST SP
/// 800-38A, section 6.5, with numbers' least byte first). A key serves for 2^64 streams; one of them for fewer than 2^48 blocks.
void kernels_aes_fill(
    const struct kernels_aes_key *key, uint64_t stream, uint64_t first, uint64_t *target, size_t count, enum kernels_cipher cipher);
