// Functions of vectors, for the texts that paths.h compiles. Errors are stated in Kernels.docc and measured by the tests.

#include "vectors.h"

/// exp: x = n ln 2 + r with |r| <= ln 2 / 2; a polynomial of r (Moshier's Cephes) times 2^n in two steps, so that both ends are reached gradually.
ALWAYS vector NAMED(exp)(vector x) {
    const float magic = 0x1.8p23f;
    x = NAMED(pick)(x > 105.0f, (vector){0} + 105.0f, x);
    x = NAMED(pick)(x < -105.0f, (vector){0} - 105.0f, x);
    vector rounded = x * 0x1.715476p0f + magic;
    words n = (words)rounded - (words)((vector){0} + magic);
    vector whole = rounded - magic;
    vector r = x - whole * 0.693359375f;
    r = r + whole * 2.12194440e-4f;
    vector p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r;
    p = p + 1.0f;
    words half = n >> 1;
    vector first = (vector)((half + 127) << 23), second = (vector)((n - half + 127) << 23);
    return p * first * second;
}

ALWAYS vector NAMED(size)(vector x) { return (vector)((words)x & 0x7fffffff); }

/// The size of a, the sign of b.
ALWAYS vector NAMED(signed_as)(vector a, vector b) {
    return (vector)(((words)a & 0x7fffffff) | ((words)b & ~0x7fffffff));
}

/// tanh: an odd polynomial near 0 (Cephes), 1 - 2 / (exp(2 |x|) + 1) elsewhere.
ALWAYS vector NAMED(tanh)(vector x) {
    vector size = NAMED(size)(x), square = x * x;
    vector p = square * -5.70498872745e-3f + 2.06390887954e-2f;
    p = p * square - 5.37397155531e-2f;
    p = p * square + 1.33314422036e-1f;
    p = p * square - 3.33332819422e-1f;
    vector near = p * square * x + x;
    vector far = 1.0f - 2.0f / (NAMED(exp)(size + size) + 1.0f);
    return NAMED(pick)(size < 0.625f, near, NAMED(signed_as)(far, x));
}

/// 1 / (1 + exp(-x)), by exp(-|x|), which does not overflow.
ALWAYS vector NAMED(sigmoid)(vector x) {
    vector e = NAMED(exp)(-NAMED(size)(x));
    return NAMED(pick)(x < 0.0f, e, (vector){0} + 1.0f) / (1.0f + e);
}

/// erf, by Juffa's polynomials (forums.developer.nvidia.com, 2016): odd near 0, 1 - exp(polynomial) elsewhere.
ALWAYS vector NAMED(erf)(vector x) {
    vector size = NAMED(size)(x), square = x * x;
    vector p = size * -1.72853470e-5f + 3.83197126e-4f;
    vector q = size * -3.88396438e-3f + 2.42546219e-2f;
    p = p * square + q;
    p = p * size - 1.06777877e-1f;
    p = p * size - 6.34846687e-1f;
    p = p * size - 1.28717512e-1f;
    p = p * size - size;
    vector far = NAMED(signed_as)(1.0f - NAMED(exp)(p), x);
    vector near = square * -5.96761703e-4f + 4.99119423e-3f;
    near = near * square - 2.67681349e-2f;
    near = near * square + 1.12819925e-1f;
    near = near * square - 3.76125336e-1f;
    near = near * square + 1.28379166e-1f;
    near = near * x + x;
    // (A NaN is not beyond either, and stays one in the first.)
    return NAMED(pick)(size > 0.927734375f, far, near);
}

/// Beyond which GELU is 0 or x: so that infinities meet no 0.
ALWAYS vector NAMED(clamped)(vector x, float limit) {
    x = NAMED(pick)(x > limit, (vector){0} + limit, x);
    return NAMED(pick)(x < -limit, (vector){0} - limit, x);
}

/// The smaller of the two limits only: a large x stays.
ALWAYS vector NAMED(at_least)(vector x, float limit) { return NAMED(pick)(x < limit, (vector){0} + limit, x); }

#define GELU_LIMIT 16.0f
#define ROOT_HALF 0.70710678118654752440f
#define ROOT_TWO_OVER_PI 0.79788456080286535588f
#define ROOT_HALF_OVER_PI 0.39894228040143267794f
#define GELU_CUBIC 0.044715f

ALWAYS vector NAMED(gelu)(vector x) {
    return NAMED(at_least)(x, -GELU_LIMIT) * 0.5f * (1.0f + NAMED(erf)(x * ROOT_HALF));
}

ALWAYS vector NAMED(gelu_slope)(vector x) {
    x = NAMED(clamped)(x, GELU_LIMIT);
    return 0.5f * (1.0f + NAMED(erf)(x * ROOT_HALF)) + x * ROOT_HALF_OVER_PI * NAMED(exp)(x * x * -0.5f);
}

ALWAYS vector NAMED(gelu_tanh)(vector x) {
    vector c = NAMED(clamped)(x, GELU_LIMIT);
    vector t = NAMED(tanh)(ROOT_TWO_OVER_PI * (c + GELU_CUBIC * c * c * c));
    return NAMED(at_least)(x, -GELU_LIMIT) * 0.5f * (1.0f + t);
}

ALWAYS vector NAMED(gelu_tanh_slope)(vector x) {
    x = NAMED(clamped)(x, GELU_LIMIT);
    vector t = NAMED(tanh)(ROOT_TWO_OVER_PI * (x + GELU_CUBIC * x * x * x));
    vector inner = ROOT_TWO_OVER_PI * (1.0f + 3.0f * GELU_CUBIC * x * x);
    return 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * inner;
}

ALWAYS vector NAMED(relu)(vector x) { return NAMED(pick)(x < 0.0f, (vector){0}, x); }
