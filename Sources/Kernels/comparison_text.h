// For cipher_paths.h: keys of comparison functions and their evaluation, sixteen side by side.
//
// A node of the tree is a block: bit 0 of its first word is the control bit, bit 1 is always 0, the other 126 bits are the seed. Its left and right child come from
// H(node + 0) and H(node + 1), and what a step to them adds to the value from H(node + 2 + 2 i) and H(node + 3 + 2 i), two words each; the numbers are added to the second word, by
// exclusive or. At the end, H(node + 16 + i) is added. A correction for a level is a block whose bit 0 corrects the left child's control bit and whose bit 1 says whether the right
// one's is corrected otherwise, and the words of the value's correction.

#include "blocks_text.h"

#define BOTH_BITS 3ull
#define PAIRS(words) ((words) / 2 + (words) % 2)
/// Where the last pair of words begins, of which an odd number leaves half.
#define IS_HALF(i, words) ((words) % 2 == 1 && (i) == (words) / 2)

/// All bits where a block's control bit is set, else none.
ALWAYS lanes NAMED(controls)(lanes node) { return (lanes){0} - (NAMED(firsts)(node) & 1); }

/// A pair of words of each of the four functions of vector v.
ALWAYS lanes NAMED(pair)(const uint64_t *source, bool is_half, int v) {
    if (!is_half) return *(const lanes *)(source + 8 * v);
    const uint64_t *four = source + 4 * v;
    return (lanes){four[0], 0, four[1], 0, four[2], 0, four[3], 0};
}

ALWAYS void NAMED(put_pair)(uint64_t *target, bool is_half, int v, lanes value) {
    if (!is_half) {
        *(lanes *)(target + 8 * v) = value;
        return;
    }
    for (int i = 0; i < 4; i++) target[4 * v + i] = value[2 * i];
}

/// A number of each of sixteen functions, in both words of its block.
ALWAYS void NAMED(spread)(const uint64_t *numbers, lanes x[GROUP]) {
#pragma clang loop unroll(full)
    for (int v = 0; v < GROUP; v++) {
        const uint64_t *four = numbers + 4 * v;
        x[v] = (lanes){four[0], four[0], four[1], four[1], four[2], four[2], four[3], four[3]};
    }
}

ALWAYS void NAMED(roots)(const uint64_t *seeds, uint64_t party, lanes nodes[GROUP]) {
#pragma clang loop unroll(full)
    for (int v = 0; v < GROUP; v++) nodes[v] = (*(const lanes *)(seeds + 8 * v) & ~IN_FIRST(BOTH_BITS)) | IN_FIRST(party);
}

/// H(node + number) for a group, where `number` is per block.
ALWAYS void NAMED(expand)(const struct kernels_aes_key *fixed, const lanes nodes[GROUP], const lanes numbers[GROUP], uint64_t number, lanes x[GROUP]) {
#pragma clang loop unroll(full)
    for (int v = 0; v < GROUP; v++) x[v] = nodes[v] ^ (numbers ? numbers[v] : (lanes){0}) ^ IN_SECOND(number);
    NAMED(hash_group)(fixed, x);
}

ALWAYS void NAMED(evaluate_group)(
    size_t bits, size_t words, const struct kernels_aes_key *fixed, uint64_t party, const uint64_t *seeds, const uint64_t *corrections,
    const uint64_t *inputs, uint64_t *target, size_t stride) {
    lanes nodes[GROUP], xs[GROUP], sums[2][GROUP] = {{{0}}};
    NAMED(roots)(seeds, party, nodes);
    NAMED(spread)(inputs, xs);
    for (size_t level = 0; level < bits; level++) {
        uint64_t shift = bits - 1 - level;
        lanes rights[GROUP], children[GROUP], values[2][GROUP];
#pragma clang loop unroll(full)
        for (int v = 0; v < GROUP; v++) rights[v] = xs[v] >> shift & IN_SECOND(1ull);
        NAMED(expand)(fixed, nodes, rights, 0, children);
#pragma clang loop unroll(full)
        for (size_t i = 0; i < PAIRS(words); i++) NAMED(expand)(fixed, nodes, rights, 2 + 2 * i, values[i]);
        const uint64_t *value_corrections = corrections + 8 * GROUP;
#pragma clang loop unroll(full)
        for (int v = 0; v < GROUP; v++) {
            lanes controls = NAMED(controls)(nodes[v]);
#pragma clang loop unroll(full)
            for (size_t i = 0; i < PAIRS(words); i++) {
                lanes correction = NAMED(pair)(value_corrections + 8 * GROUP * i, IS_HALF(i, words), v);
                sums[i][v] += values[i][v] + (controls & correction);
            }
            lanes correction = *(const lanes *)(corrections + 8 * v);
            // Bit 0 for the side that is taken.
            correction ^= correction >> 1 & (xs[v] >> shift) & IN_FIRST(1ull);
            nodes[v] = (children[v] ^ (controls & correction)) & ~IN_FIRST(2ull);
        }
        corrections += 8 * GROUP + 4 * GROUP * words;
    }
#pragma clang loop unroll(full)
    for (size_t i = 0; i < PAIRS(words); i++) {
        lanes last[GROUP];
        NAMED(expand)(fixed, nodes, NULL, 16 + i, last);
        for (int v = 0; v < GROUP; v++) {
            lanes correction = NAMED(pair)(corrections + 8 * GROUP * i, IS_HALF(i, words), v);
            lanes sum = sums[i][v] + last[v] + (NAMED(controls)(nodes[v]) & correction);
            if (party == 1) sum = -sum;
            for (int f = 0; f < 4; f++) {
                target[2 * i * stride + 4 * v + f] = sum[2 * f];
                if (!IS_HALF(i, words)) target[(2 * i + 1) * stride + 4 * v + f] = sum[2 * f + 1];
            }
        }
    }
}

/// x where the mask is set, y elsewhere.
ALWAYS lanes NAMED(chosen)(lanes mask, lanes x, lanes y) { return (x & mask) | (y & ~mask); }

ALWAYS void NAMED(generate_group)(
    size_t bits, size_t words, const struct kernels_aes_key *fixed, const uint64_t *seeds0, const uint64_t *seeds1, const uint64_t *alphas,
    const uint64_t *betas, size_t stride, uint64_t *corrections) {
    lanes nodes[2][GROUP], as[GROUP], beta[2][GROUP], offsets[2][GROUP] = {{{0}}};
    NAMED(roots)(seeds0, 0, nodes[0]);
    NAMED(roots)(seeds1, 1, nodes[1]);
    NAMED(spread)(alphas, as);
    for (size_t i = 0; i < PAIRS(words); i++) {
        for (int v = 0; v < GROUP; v++) {
            for (int f = 0; f < 4; f++) {
                beta[i][v][2 * f] = betas[2 * i * stride + 4 * v + f];
                beta[i][v][2 * f + 1] = IS_HALF(i, words) ? 0 : betas[(2 * i + 1) * stride + 4 * v + f];
            }
        }
    }
    for (size_t level = 0; level < bits; level++) {
        uint64_t shift = bits - 1 - level;
        lanes seconds[GROUP], children[2][2][GROUP];
        for (int party = 0; party < 2; party++) {
            for (uint64_t side = 0; side < 2; side++) NAMED(expand)(fixed, nodes[party], NULL, side, children[party][side]);
        }
        for (int v = 0; v < GROUP; v++) seconds[v] = NAMED(controls)(nodes[1][v]);
        for (size_t i = 0; i < PAIRS(words); i++) {
            lanes values[2][2][GROUP];
            for (int party = 0; party < 2; party++) {
                for (uint64_t side = 0; side < 2; side++) NAMED(expand)(fixed, nodes[party], NULL, 2 + 2 * i + side, values[party][side]);
            }
            for (int v = 0; v < GROUP; v++) {
                // Where alpha goes right, who goes left is below it: what is lost there is corrected to beta.
                lanes right = (lanes){0} - (as[v] >> shift & 1);
                lanes kept = NAMED(chosen)(right, values[0][1][v] - values[1][1][v], values[0][0][v] - values[1][0][v]);
                lanes lost = NAMED(chosen)(right, values[1][0][v] - values[0][0][v], values[1][1][v] - values[0][1][v]);
                lost += right & beta[i][v];
                lanes correction = ((lost - offsets[i][v]) ^ seconds[v]) - seconds[v];
                NAMED(put_pair)(corrections + 8 * GROUP + 8 * GROUP * i, IS_HALF(i, words), v, correction);
                offsets[i][v] = kept + lost;
            }
        }
        for (int v = 0; v < GROUP; v++) {
            lanes right = (lanes){0} - (as[v] >> shift & 1);
            lanes lefts = children[0][0][v] ^ children[1][0][v], rights = children[0][1][v] ^ children[1][1][v];
            lanes left_control = (lefts ^ right ^ 1) & IN_FIRST(1ull), right_control = (rights ^ right) & IN_FIRST(1ull);
            lanes seed = NAMED(chosen)(right, lefts, rights) & ~IN_FIRST(BOTH_BITS);
            *(lanes *)(corrections + 8 * v) = seed | left_control | (left_control ^ right_control) << 1;
            lanes taken = seed | NAMED(chosen)(right, right_control, left_control);
            for (int party = 0; party < 2; party++) {
                lanes child = NAMED(chosen)(right, children[party][1][v], children[party][0][v]);
                nodes[party][v] = (child ^ (NAMED(controls)(nodes[party][v]) & taken)) & ~IN_FIRST(2ull);
            }
        }
        corrections += 8 * GROUP + 4 * GROUP * words;
    }
    for (size_t i = 0; i < PAIRS(words); i++) {
        lanes last[2][GROUP];
        for (int party = 0; party < 2; party++) NAMED(expand)(fixed, nodes[party], NULL, 16 + i, last[party]);
        for (int v = 0; v < GROUP; v++) {
            lanes seconds = NAMED(controls)(nodes[1][v]);
            lanes correction = ((last[1][v] - last[0][v] - offsets[i][v]) ^ seconds) - seconds;
            NAMED(put_pair)(corrections + 8 * GROUP * i, IS_HALF(i, words), v, correction);
        }
    }
}

/// Runs a group's function with the number of words as a constant.
#define FOR_WORDS(words, call) \
    switch (words) {           \
    case 1: call(1); break;    \
    case 2: call(2); break;    \
    case 3: call(3); break;    \
    default: call(4); break;   \
    }

static void NAMED(comparison_evaluate)(
    const struct kernels_comparisons *batch, const struct kernels_aes_key *fixed, uint64_t party, const uint64_t *seeds,
    const uint64_t *corrections, const uint64_t *inputs, uint64_t *target) {
    size_t stride = batch->count, size = batch->bits * (2 + batch->words) + batch->words;
#define CALL(words) \
    NAMED(evaluate_group)(batch->bits, words, fixed, party, seeds + 2 * i, corrections + size * i, inputs + i, target + i, stride)
#define ALL(words) \
    for (size_t i = 0; i < batch->count; i += kernels_comparison_lanes) CALL(words)
    FOR_WORDS(batch->words, ALL)
#undef CALL
}

static void NAMED(comparison_generate)(
    const struct kernels_comparisons *batch, const struct kernels_aes_key *fixed, const uint64_t *seeds0, const uint64_t *seeds1,
    const uint64_t *alphas, const uint64_t *betas, uint64_t *corrections) {
    size_t stride = batch->count, size = batch->bits * (2 + batch->words) + batch->words;
#define CALL(words)                                                                                                                 \
    NAMED(generate_group)(batch->bits, words, fixed, seeds0 + 2 * i, seeds1 + 2 * i, alphas + i, betas + i, stride, corrections + size * i)
    FOR_WORDS(batch->words, ALL)
#undef CALL
#undef ALL
}

#include "bit_comparison_text.h"

#undef FOR_WORDS
#undef BOTH_BITS
#undef PAIRS
#undef IS_HALF
#undef lanes
#undef GROUP
#undef IN_SECOND
#undef IN_FIRST
