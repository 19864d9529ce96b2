// For cipher_paths.h: comparison functions whose value is one bit, sixteen side by side. Included behind comparison_text.h's helpers.
//
// A node of the tree is a block as there, of which bits 1 and 2 of the first word are 0: 125 bits are the seed. Bit 1 of H(node + 0) or H(node + 1) is what the step adds to the value, so that one
// hash serves for both. The tree ends seven levels early: H(node + 16) has a bit for each of the 128 inputs below a leaf. In a correction, bit 0 is for the left child's control bit, bit 1
// for the value, bit 2 says whether the right child's control bit is corrected otherwise than the left one's.

#define VALUE_BIT IN_FIRST(2ull)
#define LEAF_BITS 7
#define DEPTH(bits) ((bits) > LEAF_BITS ? (bits) - LEAF_BITS : 0)

ALWAYS void NAMED(bit_roots)(const uint64_t *seeds, uint64_t party, lanes nodes[GROUP]) {
#pragma clang loop unroll(full)
    for (int v = 0; v < GROUP; v++) nodes[v] = (*(const lanes *)(seeds + 8 * v) & ~IN_FIRST(7ull)) | IN_FIRST(party);
}

ALWAYS void NAMED(evaluate_bit_group)(
    size_t bits, const struct kernels_aes_key *fixed, uint64_t party, const uint64_t *seeds, const uint64_t *corrections,
    const uint64_t *inputs, uint64_t *target) {
    lanes nodes[GROUP], xs[GROUP], sums[GROUP] = {{0}};
    NAMED(bit_roots)(seeds, party, nodes);
    NAMED(spread)(inputs, xs);
    for (size_t level = 0; level < DEPTH(bits); level++) {
        uint64_t shift = bits - 1 - level;
        lanes rights[GROUP], children[GROUP];
#pragma clang loop unroll(full)
        for (int v = 0; v < GROUP; v++) rights[v] = xs[v] >> shift & IN_SECOND(1ull);
        NAMED(expand)(fixed, nodes, rights, 0, children);
#pragma clang loop unroll(full)
        for (int v = 0; v < GROUP; v++) {
            lanes correction = *(const lanes *)(corrections + 8 * v);
            correction ^= correction >> 2 & (xs[v] >> shift) & IN_FIRST(1ull);
            lanes corrected = children[v] ^ (NAMED(controls)(nodes[v]) & correction);
            sums[v] ^= corrected & VALUE_BIT;
            nodes[v] = corrected & ~IN_FIRST(6ull);
        }
        corrections += 8 * GROUP;
    }
    lanes leaves[GROUP];
    NAMED(expand)(fixed, nodes, NULL, 16, leaves);
    uint64_t mask = bits < LEAF_BITS ? (1ull << bits) - 1 : 127;
    for (int v = 0; v < GROUP; v++) {
        lanes leaf = leaves[v] ^ (NAMED(controls)(nodes[v]) & *(const lanes *)(corrections + 8 * v));
        uint64_t words[8];
        *(lanes *)words = leaf;
        for (int f = 0; f < 4; f++) {
            uint64_t place = inputs[4 * v + f] & mask;
            target[4 * v + f] = (words[2 * f + (place >> 6)] >> (place & 63) ^ sums[v][2 * f] >> 1) & 1;
        }
    }
}

ALWAYS void NAMED(generate_bit_group)(
    size_t bits, const struct kernels_aes_key *fixed, const uint64_t *seeds0, const uint64_t *seeds1, const uint64_t *alphas,
    uint64_t *corrections) {
    lanes nodes[2][GROUP], as[GROUP], offsets[GROUP] = {{0}};
    NAMED(bit_roots)(seeds0, 0, nodes[0]);
    NAMED(bit_roots)(seeds1, 1, nodes[1]);
    NAMED(spread)(alphas, as);
    for (size_t level = 0; level < DEPTH(bits); level++) {
        uint64_t shift = bits - 1 - level;
        lanes children[2][2][GROUP];
        for (int party = 0; party < 2; party++) {
            for (uint64_t side = 0; side < 2; side++) NAMED(expand)(fixed, nodes[party], NULL, side, children[party][side]);
        }
        for (int v = 0; v < GROUP; v++) {
            lanes right = (lanes){0} - (as[v] >> shift & 1);
            lanes lefts = children[0][0][v] ^ children[1][0][v], rights = children[0][1][v] ^ children[1][1][v];
            lanes lost = NAMED(chosen)(right, lefts, rights), kept = NAMED(chosen)(right, rights, lefts);
            lanes left_control = (lefts ^ right ^ 1) & IN_FIRST(1ull), right_control = (rights ^ right) & IN_FIRST(1ull);
            // What is lost is corrected to 1 where it lies left of alpha.
            lanes value = (lost ^ offsets[v] ^ right) & VALUE_BIT;
            offsets[v] = (offsets[v] ^ kept ^ value) & VALUE_BIT;
            lanes seed = lost & ~IN_FIRST(7ull);
            *(lanes *)(corrections + 8 * v) = seed | left_control | value | (left_control ^ right_control) << 2;
            lanes taken = seed | NAMED(chosen)(right, right_control, left_control);
            for (int party = 0; party < 2; party++) {
                lanes child = NAMED(chosen)(right, children[party][1][v], children[party][0][v]);
                nodes[party][v] = (child ^ (NAMED(controls)(nodes[party][v]) & taken)) & ~IN_FIRST(6ull);
            }
        }
        corrections += 8 * GROUP;
    }
    lanes leaves[2][GROUP];
    for (int party = 0; party < 2; party++) NAMED(expand)(fixed, nodes[party], NULL, 16, leaves[party]);
    uint64_t mask = bits < LEAF_BITS ? (1ull << bits) - 1 : 127;
    for (int v = 0; v < GROUP; v++) {
        // Bit j of both words is whether j is below alpha's low bits. Shifts by secret numbers take the same time whatever they are.
        lanes low = as[v] & mask, is_high = (lanes){0} - (low >> 6 & 1), ones = ~((lanes){0} - 1 << (low & 63));
        lanes pattern = (IN_FIRST(~0ull) & (ones | is_high)) | (IN_SECOND(~0ull) & ones & is_high);
        lanes value = (lanes){0} - NAMED(firsts)(offsets[v] >> 1 & 1);
        *(lanes *)(corrections + 8 * v) = leaves[0][v] ^ leaves[1][v] ^ pattern ^ value;
    }
}

static void NAMED(bit_comparison_evaluate)(
    const struct kernels_bit_comparisons *batch, const struct kernels_aes_key *fixed, uint64_t party, const uint64_t *seeds,
    const uint64_t *corrections, const uint64_t *inputs, uint64_t *target) {
    size_t size = 2 * (DEPTH(batch->bits) + 1);
    for (size_t i = 0; i < batch->count; i += kernels_comparison_lanes) {
        NAMED(evaluate_bit_group)(batch->bits, fixed, party, seeds + 2 * i, corrections + size * i, inputs + i, target + i);
    }
}

static void NAMED(bit_comparison_generate)(
    const struct kernels_bit_comparisons *batch, const struct kernels_aes_key *fixed, const uint64_t *seeds0, const uint64_t *seeds1,
    const uint64_t *alphas, uint64_t *corrections) {
    size_t size = 2 * (DEPTH(batch->bits) + 1);
    for (size_t i = 0; i < batch->count; i += kernels_comparison_lanes) {
        NAMED(generate_bit_group)(batch->bits, fixed, seeds0 + 2 * i, seeds1 + 2 * i, alphas + i, corrections + size * i);
    }
}

#undef VALUE_BIT
#undef LEAF_BITS
#undef DEPTH
