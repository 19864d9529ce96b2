#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// The instructions that a kernel may use. Which of them makes no difference to a result.
enum kernels_instructions {
    kernels_portable = 0,
    kernels_avx2 = 1,
    kernels_avx512 = 2,
} __attribute__((enum_extensibility(closed)));

/// Whether this processor has them.
bool kernels_have(enum kernels_instructions instructions);

/// How many messages are hashed side by side: arrays a word a message have room for a multiple of it.
enum { kernels_hash_lanes = 8 };

/// Messages of equally many words, some of them under one key after the other.
struct kernels_messages {
    /// Of each run of messages under one key: the key's two words, and the number of the message that ends it, which is
    /// where the next run begins. Runs are not empty, but that of no messages at all.
    const uint64_t *keys;
    const int64_t *ends;
    size_t runs;
    /// Word w of message i is `words[w][i]`.
    const uint64_t *const *words;
    size_t word_count;
    /// What follows the words: at most seven bytes, in the low bytes of `tail`.
    uint64_t tail;
    size_t tail_bytes;
};

/// Writes the first eight bytes of each message's SipHash-2-4 of 128 bits (Aumasson and Bernstein 2012) to `target`.
void kernels_hash(struct kernels_messages messages, uint64_t *target, enum kernels_instructions instructions);
