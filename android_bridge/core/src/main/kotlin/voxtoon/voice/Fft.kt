package voxtoon.voice

import kotlin.math.PI
import kotlin.math.cos
import kotlin.math.sin

/**
 * The spectrum of real signals of one even length, in double precision, without allocating.
 *
 * The even samples are taken as real and the odd ones as imaginary parts of a complex signal of half the length, whose
 * transform is then taken apart. Single precision would not do: the power of 0.3 in the front end turns an error of
 * 1e-7 of the loudest bin into a hundredth of the loudest value.
 */
internal class RealFft(private val size: Int) {
    private val half = size / 2
    private val transform: ComplexFft = if (half and (half - 1) == 0) StockhamFft(half) else BluesteinFft(half)
    // Halved: the spectra of the even and of the odd samples are half a sum and half a difference.
    private val cosine = DoubleArray(half / 2 + 1) { cos(PI * it / half) / 2 }
    private val sine = DoubleArray(half / 2 + 1) { sin(PI * it / half) / 2 }
    private val packedRe = DoubleArray(half)
    private val packedIm = DoubleArray(half)

    /** Writes the bins 0 to `size / 2` of [signal], `size` samples, into [re] and [im]. */
    fun transform(signal: DoubleArray, re: DoubleArray, im: DoubleArray) {
        for (k in 0 until half) {
            packedRe[k] = signal[2 * k]
            packedIm[k] = signal[2 * k + 1]
        }
        transform.transform(packedRe, packedIm)
        re[0] = packedRe[0] + packedIm[0]
        im[0] = 0.0
        re[half] = packedRe[0] - packedIm[0]
        im[half] = 0.0
        // The bins k and half - k are made of the same two numbers; where they meet, both ways give the same.
        for (k in 1..half / 2) {
            val mirror = half - k
            val evenRe = 0.5 * (packedRe[k] + packedRe[mirror])
            val evenIm = 0.5 * (packedIm[k] - packedIm[mirror])
            val oddRe = packedIm[k] + packedIm[mirror]
            val oddIm = packedRe[mirror] - packedRe[k]
            val turnedRe = cosine[k] * oddRe + sine[k] * oddIm
            val turnedIm = cosine[k] * oddIm - sine[k] * oddRe
            re[k] = evenRe + turnedRe
            im[k] = evenIm + turnedIm
            re[mirror] = evenRe - turnedRe
            im[mirror] = turnedIm - evenIm
        }
    }
}

/** The forward transform of complex signals of one length, in place. */
internal interface ComplexFft {
    fun transform(re: DoubleArray, im: DoubleArray)
}

/** A power of two: Stockham's form in radix 4, whose inner loops run over neighbours, and so in vector registers. */
internal class StockhamFft(private val size: Int) : ComplexFft {
    private val otherRe = DoubleArray(size)
    private val otherIm = DoubleArray(size)
    private val cosine = DoubleArray(size) { cos(2 * PI * it / size) }
    private val sine = DoubleArray(size) { -sin(2 * PI * it / size) }

    override fun transform(re: DoubleArray, im: DoubleArray) {
        var fromRe = re
        var fromIm = im
        var toRe = otherRe
        var toIm = otherIm
        var length = size
        var stride = 1
        while (length > 1) {
            when {
                length == 2 -> radix2(fromRe, fromIm, toRe, toIm)
                stride == 1 -> firstRadix4(length / 4, fromRe, fromIm, toRe, toIm)
                else -> radix4(length / 4, stride, fromRe, fromIm, toRe, toIm)
            }
            val radix = if (length == 2) 2 else 4
            length /= radix
            stride *= radix
            fromRe = toRe.also { toRe = fromRe }
            fromIm = toIm.also { toIm = fromIm }
        }
        if (fromRe !== re) {
            System.arraycopy(fromRe, 0, re, 0, size)
            System.arraycopy(fromIm, 0, im, 0, size)
        }
    }

    /** The first stage, where no two butterflies have the same twiddle factors: one loop over all of them. */
    private fun firstRadix4(quarter: Int, xr: DoubleArray, xi: DoubleArray, yr: DoubleArray, yi: DoubleArray) {
        for (p in 0 until quarter) {
            val sumAcRe = xr[p] + xr[p + 2 * quarter]
            val sumAcIm = xi[p] + xi[p + 2 * quarter]
            val differenceAcRe = xr[p] - xr[p + 2 * quarter]
            val differenceAcIm = xi[p] - xi[p + 2 * quarter]
            val sumBdRe = xr[p + quarter] + xr[p + 3 * quarter]
            val sumBdIm = xi[p + quarter] + xi[p + 3 * quarter]
            val turnedBdRe = xi[p + 3 * quarter] - xi[p + quarter] // j (b - d)
            val turnedBdIm = xr[p + quarter] - xr[p + 3 * quarter]
            val to = 4 * p
            yr[to] = sumAcRe + sumBdRe
            yi[to] = sumAcIm + sumBdIm
            val re1 = differenceAcRe - turnedBdRe
            val im1 = differenceAcIm - turnedBdIm
            yr[to + 1] = cosine[p] * re1 - sine[p] * im1
            yi[to + 1] = cosine[p] * im1 + sine[p] * re1
            val re2 = sumAcRe - sumBdRe
            val im2 = sumAcIm - sumBdIm
            yr[to + 2] = cosine[2 * p] * re2 - sine[2 * p] * im2
            yi[to + 2] = cosine[2 * p] * im2 + sine[2 * p] * re2
            val re3 = differenceAcRe + turnedBdRe
            val im3 = differenceAcIm + turnedBdIm
            yr[to + 3] = cosine[3 * p] * re3 - sine[3 * p] * im3
            yi[to + 3] = cosine[3 * p] * im3 + sine[3 * p] * re3
        }
    }

    private fun radix4(quarter: Int, stride: Int, xr: DoubleArray, xi: DoubleArray, yr: DoubleArray, yi: DoubleArray) {
        for (p in 0 until quarter) {
            val c1 = cosine[p * stride]
            val s1 = sine[p * stride]
            val c2 = cosine[2 * p * stride]
            val s2 = sine[2 * p * stride]
            val c3 = cosine[3 * p * stride]
            val s3 = sine[3 * p * stride]
            butterflies(p * stride, quarter * stride, stride, xr, xi, yr, yi, c1, s1, c2, s2, c3, s3)
        }
    }

    /** [count] neighbouring butterflies; the four inputs lie [apart], the outputs follow each other. */
    private fun butterflies(
        from: Int, apart: Int, count: Int,
        xr: DoubleArray, xi: DoubleArray, yr: DoubleArray, yi: DoubleArray,
        c1: Double, s1: Double, c2: Double, s2: Double, c3: Double, s3: Double,
    ) {
        val to = 4 * from
        for (q in 0 until count) {
            val ar = xr[from + q]
            val ai = xi[from + q]
            val br = xr[from + apart + q]
            val bi = xi[from + apart + q]
            val cr = xr[from + 2 * apart + q]
            val ci = xi[from + 2 * apart + q]
            val dr = xr[from + 3 * apart + q]
            val di = xi[from + 3 * apart + q]
            val sumAcRe = ar + cr
            val sumAcIm = ai + ci
            val differenceAcRe = ar - cr
            val differenceAcIm = ai - ci
            val sumBdRe = br + dr
            val sumBdIm = bi + di
            val turnedBdRe = di - bi // j (b - d)
            val turnedBdIm = br - dr
            yr[to + q] = sumAcRe + sumBdRe
            yi[to + q] = sumAcIm + sumBdIm
            val re1 = differenceAcRe - turnedBdRe
            val im1 = differenceAcIm - turnedBdIm
            yr[to + count + q] = c1 * re1 - s1 * im1
            yi[to + count + q] = c1 * im1 + s1 * re1
            val re2 = sumAcRe - sumBdRe
            val im2 = sumAcIm - sumBdIm
            yr[to + 2 * count + q] = c2 * re2 - s2 * im2
            yi[to + 2 * count + q] = c2 * im2 + s2 * re2
            val re3 = differenceAcRe + turnedBdRe
            val im3 = differenceAcIm + turnedBdIm
            yr[to + 3 * count + q] = c3 * re3 - s3 * im3
            yi[to + 3 * count + q] = c3 * im3 + s3 * re3
        }
    }

    private fun radix2(xr: DoubleArray, xi: DoubleArray, yr: DoubleArray, yi: DoubleArray) {
        val half = size / 2
        for (q in 0 until half) {
            yr[q] = xr[q] + xr[q + half]
            yi[q] = xi[q] + xi[q + half]
            yr[q + half] = xr[q] - xr[q + half]
            yi[q + half] = xi[q] - xi[q + half]
        }
    }
}

/** Any length: Bluestein's way, a convolution with a chirp, done by transforms of a power of two. */
internal class BluesteinFft(private val size: Int) : ComplexFft {
    private val padded = Integer.highestOneBit(2 * size - 1).let { if (it < 2 * size - 1) 2 * it else it }
    private val inner = StockhamFft(padded)
    private val chirpRe = DoubleArray(size) { cos(angle(it)) }
    private val chirpIm = DoubleArray(size) { sin(angle(it)) }
    private val filterRe = DoubleArray(padded)
    private val filterIm = DoubleArray(padded)
    private val workRe = DoubleArray(padded)
    private val workIm = DoubleArray(padded)

    init {
        for (k in 0 until size) {
            for (place in intArrayOf(k, (padded - k) % padded)) {
                filterRe[place] = chirpRe[k]
                filterIm[place] = -chirpIm[k]
            }
        }
        inner.transform(filterRe, filterIm)
    }

    override fun transform(re: DoubleArray, im: DoubleArray) {
        workRe.fill(0.0, size)
        workIm.fill(0.0, size)
        for (k in 0 until size) {
            workRe[k] = re[k] * chirpRe[k] - im[k] * chirpIm[k]
            workIm[k] = re[k] * chirpIm[k] + im[k] * chirpRe[k]
        }
        inner.transform(workRe, workIm)
        for (k in 0 until padded) { // conjugated, so that a forward transform is the inverse one
            val productRe = workRe[k] * filterRe[k] - workIm[k] * filterIm[k]
            workIm[k] = -(workRe[k] * filterIm[k] + workIm[k] * filterRe[k])
            workRe[k] = productRe
        }
        inner.transform(workRe, workIm)
        for (k in 0 until size) {
            val convolvedRe = workRe[k] / padded
            val convolvedIm = -workIm[k] / padded
            re[k] = convolvedRe * chirpRe[k] - convolvedIm * chirpIm[k]
            im[k] = convolvedRe * chirpIm[k] + convolvedIm * chirpRe[k]
        }
    }

    /** `-pi k^2 / size`, with `k^2` reduced first: cosines of large angles are inexact. */
    private fun angle(k: Int): Double = -PI * (k.toLong() * k % (2L * size)) / size
}
