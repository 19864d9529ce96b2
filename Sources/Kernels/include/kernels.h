#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// The instructions that a kernel may use. Which of them makes no difference to a hash; float arithmetic may round differently.
enum kernels_instructions {
    /// Those that every processor of the architecture has: SSE2, or NEON.
    kernels_portable = 0,
    /// AVX2 and FMA: vectors of 256 bits.
    kernels_avx2 = 1,
    /// AVX-512 (F, VL, BW and DQ): vectors of 512 bits.
    kernels_avx512 = 2,
} __attribute__((enum_extensibility(closed)));

/// Whether this processor has them.
bool kernels_have(enum kernels_instructions instructions);

/// How many messages are hashed side by side: arrays a word a message have room for a multiple of it.
enum { kernels_hash_lanes = 8 };

/// Messages of equally many words, some of them under one key after the other.
struct kernels_messages {
    /// Two words for each run of messages under one key: that key.
    const uint64_t *keys;
    /// For each run, the number of the message behind its last, where the next run begins. No run is empty, unless there
    /// are no messages at all.
    const int64_t *ends;
    /// How many runs there are.
    size_t runs;
    /// Word w of message i is `words[w][i]`.
    const uint64_t *const *words;
    /// How many words each message has.
    size_t word_count;
    /// What follows the words of each message, in its low bytes.
    uint64_t tail;
    /// How many bytes follow: at most seven.
    size_t tail_bytes;
};

/// Writes the first eight bytes of each message's SipHash-2-4 of 128 bits (Aumasson and Bernstein 2012) to `target`.
void kernels_hash(struct kernels_messages messages, uint64_t *target, enum kernels_instructions instructions);
