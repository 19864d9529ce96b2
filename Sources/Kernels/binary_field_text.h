// Compiled for each way to multiply: MULTIPLY(a, b) gives both halves of the product of polynomials.

static void NAMED(field_multiply)(const uint64_t *a, const uint64_t *b, size_t count, uint64_t *target) {
    for (size_t i = 0; i < count; i++) target[i] = field_reduced(MULTIPLY(a[i], b[i]));
}

static uint64_t NAMED(field_inner)(const uint64_t *a, const uint64_t *b, size_t count) {
    struct field_product sum = {0, 0};
    for (size_t i = 0; i < count; i++) {
        struct field_product product = MULTIPLY(a[i], b[i]);
        sum.low ^= product.low;
        sum.high ^= product.high;
    }
    return field_reduced(sum);
}

static void NAMED(field_combine)(const uint64_t *factors, size_t rows, const uint64_t *a, size_t count, uint64_t *target) {
    for (size_t i = 0; i < count; i++) {
        struct field_product sum = {0, 0};
        for (size_t row = 0; row < rows; row++) {
            struct field_product product = MULTIPLY(factors[row], a[row * count + i]);
            sum.low ^= product.low;
            sum.high ^= product.high;
        }
        target[i] = field_reduced(sum);
    }
}

static void NAMED(field_gates)(
    const uint64_t *weights, const uint64_t *xa, const uint64_t *ya, const uint64_t *xb, const uint64_t *yb, size_t count,
    uint64_t *target) {
    struct field_product sums[127];
    for (int k = 0; k < 127; k++) sums[k] = (struct field_product){0, 0};
    for (size_t i = 0; i < count; i++) {
        uint64_t weight = weights[i], ax = xa[i], ay = ya[i], bx = xb[i], by = yb[i];
        // Coefficient k has the pairs v = u + 63 - k.
        for (int k = 0; k < 64; k++) {
            struct field_product product = MULTIPLY(weight, (ax & by >> (63 - k)) ^ (ay & bx >> (63 - k)));
            sums[k].low ^= product.low;
            sums[k].high ^= product.high;
        }
        for (int k = 64; k < 127; k++) {
            struct field_product product = MULTIPLY(weight, (ax & by << (k - 63)) ^ (ay & bx << (k - 63)));
            sums[k].low ^= product.low;
            sums[k].high ^= product.high;
        }
    }
    for (int k = 0; k < 127; k++) target[k] = field_reduced(sums[k]);
}
