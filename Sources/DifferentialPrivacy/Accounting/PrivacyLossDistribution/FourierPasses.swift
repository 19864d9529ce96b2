/// Complex numbers of a transform, real and imaginary parts apart.
struct ComplexPointers {
    let re: UnsafeMutablePointer<Double>
    let im: UnsafeMutablePointer<Double>

    @inline(__always)
    func load(_ index: Int) -> (re: SIMD2<Double>, im: SIMD2<Double>) {
        (
            UnsafeRawPointer(re + index).loadUnaligned(as: SIMD2<Double>.self),
            UnsafeRawPointer(im + index).loadUnaligned(as: SIMD2<Double>.self)
        )
    }

    @inline(__always)
    func store(_ x: SIMD2<Double>, _ y: SIMD2<Double>, _ index: Int) {
        UnsafeMutableRawPointer(re + index).storeBytes(of: x, as: SIMD2<Double>.self)
        UnsafeMutableRawPointer(im + index).storeBytes(of: y, as: SIMD2<Double>.self)
    }
}

/// One pass of Stockham's self-sorting transform (Van Loan 1992, section 1.7): sub-transforms of length
/// `radix * columns`, of which `stride` lie interleaved, become `radix` times as many of length `columns`.
struct FourierPass {
    let radix: Int
    let stride: Int
    let columns: Int
    /// For each column, the powers 1 to radix - 1 of its root of unity, real part then imaginary part.
    let twiddles: [Double]

    func run(from x: ComplexPointers, to y: ComplexPointers) {
        twiddles.withUnsafeBufferPointer { w in
            guard let w = w.baseAddress else { return }
            switch (radix, stride) {
            case (4, 1): firstOfFour(x, y, w)
            case (4, _): four(x, y, w)
            case (2, _): two(x, y, w)
            case (3, _): three(x, y)
            default: five(x, y)
            }
        }
    }

    /// Radix 4 where neighbours belong to different columns.
    private func firstOfFour(_ x: ComplexPointers, _ y: ComplexPointers, _ w: UnsafePointer<Double>) {
        let m = columns
        for p in 0..<m {
            let t = w + 6 * p
            let (ar, ai) = (x.re[p], x.im[p])
            let (br, bi) = (x.re[p + m], x.im[p + m])
            let (cr, ci) = (x.re[p + 2 * m], x.im[p + 2 * m])
            let (dr, di) = (x.re[p + 3 * m], x.im[p + 3 * m])
            let (sr, si) = (ar + cr, ai + ci)
            let (ur, ui) = (ar - cr, ai - ci)
            let (vr, vi) = (br + dr, bi + di)
            let (zr, zi) = (br - dr, bi - di)
            let out = 4 * p
            y.re[out] = sr + vr
            y.im[out] = si + vi
            let (er, ei) = (ur + zi, ui - zr)
            y.re[out + 1] = er * t[0] - ei * t[1]
            y.im[out + 1] = er * t[1] + ei * t[0]
            let (fr, fi) = (sr - vr, si - vi)
            y.re[out + 2] = fr * t[2] - fi * t[3]
            y.im[out + 2] = fr * t[3] + fi * t[2]
            let (gr, gi) = (ur - zi, ui + zr)
            y.re[out + 3] = gr * t[4] - gi * t[5]
            y.im[out + 3] = gr * t[5] + gi * t[4]
        }
    }

    private func four(_ x: ComplexPointers, _ y: ComplexPointers, _ w: UnsafePointer<Double>) {
        let (m, s) = (columns, stride)
        for p in 0..<m {
            let t = w + 6 * p
            let (t0, t1, t2) = (SIMD2(repeating: t[0]), SIMD2(repeating: t[1]), SIMD2(repeating: t[2]))
            let (t3, t4, t5) = (SIMD2(repeating: t[3]), SIMD2(repeating: t[4]), SIMD2(repeating: t[5]))
            var (q, out) = (s * p, 4 * s * p)
            let end = q + s
            while q < end {
                let a = x.load(q)
                let b = x.load(q + s * m)
                let c = x.load(q + 2 * s * m)
                let d = x.load(q + 3 * s * m)
                let (sr, si) = (a.re + c.re, a.im + c.im)
                let (ur, ui) = (a.re - c.re, a.im - c.im)
                let (vr, vi) = (b.re + d.re, b.im + d.im)
                let (zr, zi) = (b.re - d.re, b.im - d.im)
                y.store(sr + vr, si + vi, out)
                let (er, ei) = (ur + zi, ui - zr)
                y.store(er * t0 - ei * t1, er * t1 + ei * t0, out + s)
                let (fr, fi) = (sr - vr, si - vi)
                y.store(fr * t2 - fi * t3, fr * t3 + fi * t2, out + 2 * s)
                let (gr, gi) = (ur - zi, ui + zr)
                y.store(gr * t4 - gi * t5, gr * t5 + gi * t4, out + 3 * s)
                q += 2
                out += 2
            }
        }
    }

    private func two(_ x: ComplexPointers, _ y: ComplexPointers, _ w: UnsafePointer<Double>) {
        let (m, s) = (columns, stride)
        for p in 0..<m {
            let (t0, t1) = (SIMD2(repeating: w[2 * p]), SIMD2(repeating: w[2 * p + 1]))
            var (q, out) = (s * p, 2 * s * p)
            let end = q + s
            while q < end {
                let a = x.load(q)
                let b = x.load(q + s * m)
                y.store(a.re + b.re, a.im + b.im, out)
                let (er, ei) = (a.re - b.re, a.im - b.im)
                y.store(er * t0 - ei * t1, er * t1 + ei * t0, out + s)
                q += 2
                out += 2
            }
        }
    }

    /// Radix 3 as the last pass: one column, no twiddles.
    private func three(_ x: ComplexPointers, _ y: ComplexPointers) {
        let s = stride
        let half = SIMD2(repeating: 0.5)
        let sine = SIMD2(repeating: 3.0.squareRoot() / 2)
        for q in Swift.stride(from: 0, to: s, by: 2) {
            let a = x.load(q)
            let b = x.load(q + s)
            let c = x.load(q + 2 * s)
            let (sr, si) = (b.re + c.re, b.im + c.im)
            let (dr, di) = ((b.re - c.re) * sine, (b.im - c.im) * sine)
            let (mr, mi) = (a.re - half * sr, a.im - half * si)
            y.store(a.re + sr, a.im + si, q)
            y.store(mr + di, mi - dr, q + s)
            y.store(mr - di, mi + dr, q + 2 * s)
        }
    }

    /// Radix 5 as the last pass: one column, no twiddles.
    private func five(_ x: ComplexPointers, _ y: ComplexPointers) {
        let s = stride
        let root = 5.0.squareRoot()
        let (c1, c2) = (SIMD2(repeating: (root - 1) / 4), SIMD2(repeating: -(root + 1) / 4))
        let s1 = SIMD2(repeating: ((10 + 2 * root) / 16).squareRoot())
        let s2 = SIMD2(repeating: ((10 - 2 * root) / 16).squareRoot())
        for q in Swift.stride(from: 0, to: s, by: 2) {
            let a = x.load(q)
            let (b, e) = (x.load(q + s), x.load(q + 4 * s))
            let (c, d) = (x.load(q + 2 * s), x.load(q + 3 * s))
            let (pr, pi) = (b.re + e.re, b.im + e.im)
            let (ur, ui) = (b.re - e.re, b.im - e.im)
            let (vr, vi) = (c.re + d.re, c.im + d.im)
            let (zr, zi) = (c.re - d.re, c.im - d.im)
            y.store(a.re + pr + vr, a.im + pi + vi, q)
            let (fr, fi) = (a.re + c1 * pr + c2 * vr, a.im + c1 * pi + c2 * vi)
            let (gr, gi) = (a.re + c2 * pr + c1 * vr, a.im + c2 * pi + c1 * vi)
            let (hr, hi) = (s1 * ur + s2 * zr, s1 * ui + s2 * zi)
            let (kr, ki) = (s2 * ur - s1 * zr, s2 * ui - s1 * zi)
            y.store(fr + hi, fi - hr, q + s)
            y.store(gr + ki, gi - kr, q + 2 * s)
            y.store(gr - ki, gi + kr, q + 3 * s)
            y.store(fr - hi, fi + hr, q + 4 * s)
        }
    }
}
