typedef uint64_t NAMED(field_words) __attribute__((vector_size(LANES * 4), aligned(8), may_alias));

static void NAMED(field_map)(const uint64_t *factors, const uint64_t *words, size_t count, uint64_t *target) {
    enum { lanes = LANES / 2, strip = 4 };
    size_t i = 0;
    for (; i + strip * lanes <= count; i += strip * lanes) {
        NAMED(field_words) x[strip], sum[strip];
        for (int s = 0; s < strip; s++) {
            x[s] = *(const NAMED(field_words) *)(words + i + (size_t)s * lanes);
            sum[s] = x[s] ^ x[s];
        }
        for (int bit = 0; bit < 64; bit++) {
            for (int s = 0; s < strip; s++) sum[s] ^= factors[bit] & -(x[s] >> bit & 1);
        }
        for (int s = 0; s < strip; s++) *(NAMED(field_words) *)(target + i + (size_t)s * lanes) = sum[s];
    }
    for (; i < count; i++) {
        uint64_t sum = 0;
        for (int bit = 0; bit < 64; bit++) sum ^= factors[bit] & -(words[i] >> bit & 1);
        target[i] = sum;
    }
}
