typedef uint64_t NAMED(galois_words) __attribute__((vector_size(LANES * 4), aligned(8), may_alias));

/// x^64 is - x^4 - x^3 - x - 1: 128 words to 64.
ALWAYS void NAMED(galois_reduce)(uint64_t *sums) {
    // The highest four reach beyond 64 again.
    for (int i = 63; i >= 60; i--) {
        uint64_t word = sums[64 + i];
        sums[i] -= word;
        sums[i + 1] -= word;
        sums[i + 3] -= word;
        sums[i + 4] -= word;
        sums[64 + i] = 0;
    }
    uint64_t high[64];
    for (int i = 0; i < 64; i++) high[i] = sums[64 + i];
    for (int i = 0; i < 64; i++) sums[i] -= high[i];
    for (int i = 0; i < 60; i++) sums[i + 1] -= high[i];
    for (int i = 0; i < 60; i++) sums[i + 3] -= high[i];
    for (int i = 0; i < 60; i++) sums[i + 4] -= high[i];
}

/// An element times a pattern, to the first 64 of 128 words. Bits that are a vector apart are added at multiples of a vector.
ALWAYS void NAMED(galois_times)(const uint64_t *element, uint64_t pattern, uint64_t *sums) {
    enum { lanes = LANES / 2, vectors = 64 / lanes };
    NAMED(galois_words) part[vectors];
    for (int v = 0; v < vectors; v++) part[v] = *(const NAMED(galois_words) *)(element + v * lanes);
    uint64_t apart = 0;
    for (int q = 0; q < vectors; q++) apart |= (uint64_t)1 << (q * lanes);
    for (int i = 0; i < 128; i++) sums[i] = 0;
    for (int shift = 0; shift < lanes; shift++) {
        NAMED(galois_words) all[2 * vectors];
        for (int v = 0; v < 2 * vectors; v++) all[v] = part[0] ^ part[0];
        for (uint64_t left = pattern >> shift & apart; left != 0; left &= left - 1) {
            int first = __builtin_ctzll(left) / lanes;
            for (int v = 0; v < vectors; v++) all[first + v] += part[v];
        }
        // The last vector is zero: no pattern reaches it.
        for (int v = 0; v < 2 * vectors - 1; v++) *(NAMED(galois_words) *)(sums + shift + v * lanes) += all[v];
    }
    NAMED(galois_reduce)(sums);
}

static void NAMED(galois_multiply)(const uint64_t *elements, const uint64_t *patterns, size_t count, uint64_t *target) {
    uint64_t sums[128];
    for (size_t i = 0; i < count; i++) {
        NAMED(galois_times)(elements + 64 * i, patterns[i], sums);
        for (int w = 0; w < 64; w++) target[64 * i + (size_t)w] = sums[w];
    }
}

static void NAMED(galois_fold)(
    const uint64_t *elements, size_t rows, size_t count, uint64_t pattern, bool descending, uint64_t *target) {
    uint64_t sums[128];
    for (size_t i = 0; i < count; i++) {
        uint64_t *result = target + 64 * i;
        for (size_t step = 0; step < rows; step++) {
            // The highest power's row first.
            size_t row = descending ? step : rows - 1 - step;
            const uint64_t *next = elements + 64 * (row * count + i);
            if (step == 0) {
                for (int w = 0; w < 64; w++) result[w] = next[w];
                continue;
            }
            NAMED(galois_times)(result, pattern, sums);
            for (int w = 0; w < 64; w++) result[w] = sums[w] + next[w];
        }
    }
}

static void NAMED(galois_collapse)(const uint64_t *table, uint64_t *target) {
    uint64_t sums[128] = {0};
    for (int i = 0; i < 64; i++) {
        for (int j = 0; j < 64; j++) sums[i + j] += table[64 * i + j];
    }
    NAMED(galois_reduce)(sums);
    for (int w = 0; w < 64; w++) target[w] = sums[w];
}

static void NAMED(galois_expand)(const uint64_t *patterns, size_t count, uint64_t *target) {
    for (size_t i = 0; i < count; i++) {
        for (int w = 0; w < 64; w++) target[64 * i + (size_t)w] = patterns[i] >> w & 1;
    }
}
