package voxtoon.bundle

import voxtoon.InputException

/** How samples become frames. */
public enum class FrontEndKind(internal val label: String) {
    /** Real and imaginary part of each bin, each `sgn(x) |x|^exponent`. */
    COMPLEX_POWER("complex_power"),

    /** `(ln(max(mel power, mel_floor)) + log_offset) * log_scale`. */
    LOG_MEL("log_mel"),

    /** The samples themselves, by the window. */
    WAVEFORM("waveform"),
}

/**
 * Everything that decides the numbers in a frame.
 *
 * Frame `t` covers the samples from `hopSamples * t` on, a periodic Hann window is applied, and zeros are appended on the
 * right before the Fourier transform. What is of another kind is null.
 *
 * @property kind which of the fields below are given.
 * @property sampleRateHz of the signal.
 * @property windowSamples under one Hann window.
 * @property hopSamples from one frame to the next.
 * @property fftSamples length of the transform.
 * @property clipSamples of a whole clip.
 * @property inputScale by which samples are divided first.
 * @property exponent of the power law.
 * @property melBins bands of the mel spectrum.
 * @property melLowHz where the first of them begins.
 * @property melHighHz where the last of them ends.
 * @property melFloor the least power of a band.
 * @property logOffset added to the logarithm.
 * @property logScale by which the sum is multiplied.
 * @property preEmphasis share of the sample before that is taken off each sample of a waveform.
 * @property wholeNumberDivision whether a window of a waveform is divided in whole numbers, rounded down.
 * @throws InputException when a value is out of range or belongs to another kind.
 */
public class FrontEndSpec(
    public val kind: FrontEndKind,
    public val sampleRateHz: Int = 16_000,
    public val windowSamples: Int? = 400,
    public val hopSamples: Int? = 160,
    public val fftSamples: Int? = 512,
    public val clipSamples: Int = 96_000,
    public val inputScale: Double = 1.0,
    public val exponent: Double? = null,
    public val melBins: Int? = null,
    public val melLowHz: Double? = null,
    public val melHighHz: Double? = null,
    public val melFloor: Double? = null,
    public val logOffset: Double? = null,
    public val logScale: Double? = null,
    public val preEmphasis: Double? = null,
    public val wholeNumberDivision: Boolean? = null,
) {
    init {
        val isSpectral = kind != FrontEndKind.WAVEFORM
        checkGiven(isSpectral, "window_samples" to windowSamples, "hop_samples" to hopSamples, "fft_samples" to fftSamples)
        checkGiven(kind == FrontEndKind.COMPLEX_POWER, "exponent" to exponent)
        checkGiven(
            kind == FrontEndKind.LOG_MEL,
            "mel_bins" to melBins, "mel_low_hz" to melLowHz, "mel_high_hz" to melHighHz,
            "mel_floor" to melFloor, "log_offset" to logOffset, "log_scale" to logScale,
        )
        checkGiven(!isSpectral, "pre_emphasis" to preEmphasis, "division" to wholeNumberDivision)
        checkRanges()
    }

    /** Values in one frame: 514 for real and imaginary parts, 64 for 64 mel bins, 1 for a sample of waveform. */
    public val frameSize: Int
        get() = melBins ?: fftSamples?.let { 2 * (it / 2 + 1) } ?: 1

    /** The shape of one frame, `[257, 2]`, `[64, 1]` or `[1]`. */
    public val frameShape: LongArray
        get() = when {
            melBins != null -> longArrayOf(melBins.toLong(), 1)
            fftSamples != null -> longArrayOf(fftSamples / 2 + 1L, 2)
            else -> longArrayOf(1)
        }

    /** Frames that fit in so many samples; 96,000 samples give 598, and as many of waveform. */
    public fun frameCount(samples: Int): Int =
        if (windowSamples == null || hopSamples == null) samples else maxOf(0, Math.floorDiv(samples - windowSamples, hopSamples) + 1)

    private fun checkGiven(isOwn: Boolean, vararg fields: Pair<String, Any?>) {
        for ((name, value) in fields) {
            if (isOwn != (value != null)) {
                throw InputException("front end $name of kind ${kind.label}", got = value ?: "null", expected = if (isOwn) "a value" else "null")
            }
        }
    }

    private fun checkRanges() {
        val nyquistHz = sampleRateHz / 2.0
        val window = windowSamples ?: 1
        val fft = fftSamples ?: 1
        val rules = listOf(
            "sample_rate_hz" to (sampleRateHz in 1..HIGHEST_RATE_HZ),
            "fft_samples" to (fftSamples == null || fft in 1..LONGEST_FFT && fft % 2 == 0),
            "window_samples" to (windowSamples == null || window in 1..fft),
            "hop_samples" to (hopSamples == null || hopSamples in 1..window),
            "clip_samples" to (clipSamples >= window && clipSamples <= LONGEST_CLIP_S * sampleRateHz.toLong()),
            "input_scale" to (inputScale > 0),
            "exponent" to (exponent == null || exponent > 0 && exponent <= 1),
            "mel_bins" to (melBins == null || melBins in 1..fft / 2),
            "mel_low_hz" to (melLowHz == null || melLowHz >= 0 && melLowHz < nyquistHz),
            "mel_high_hz" to (melHighHz == null || melHighHz > (melLowHz ?: 0.0) && melHighHz <= nyquistHz),
            "mel_floor" to (melFloor == null || melFloor > 0),
            "pre_emphasis" to (preEmphasis == null || preEmphasis >= 0 && preEmphasis < 1),
        )
        rules.find { !it.second }?.let { throw InputException("front end ${it.first} is out of range") }
    }

    internal companion object {
        const val HIGHEST_RATE_HZ = 384_000
        private const val LONGEST_FFT = 1 shl 14
        private const val LONGEST_CLIP_S = 600

        /** 64 mel bins, as the default model and the descriptor of a voice use them. */
        val logMel = FrontEndSpec(
            FrontEndKind.LOG_MEL,
            melBins = 64, melLowHz = 125.0, melHighHz = 7500.0, melFloor = 1e-6, logOffset = 4.0, logScale = 0.25,
        )

        /** The Speech2Face paper's: 257 bins, real and imaginary part to the power 0.3. */
        val complexPower = FrontEndSpec(FrontEndKind.COMPLEX_POWER, exponent = 0.3)

        private val common = listOf("kind", "sample_rate_hz", "clip_samples", "input_scale")
        private val spectral = listOf("window", "window_samples", "hop_samples", "fft_samples", "framing", "pad_side")
        private val logMelFields = listOf("mel_bins", "mel_low_hz", "mel_high_hz", "mel_floor", "log_offset", "log_scale")
        private val fieldsOfKind = mapOf(
            FrontEndKind.COMPLEX_POWER to common + spectral + "exponent",
            FrontEndKind.LOG_MEL to common + spectral + logMelFields,
            FrontEndKind.WAVEFORM to common + listOf("pre_emphasis", "division"),
        )
        private val words = mapOf("window" to "hann_periodic", "framing" to "uncentred", "pad_side" to "right")

        /** The spec a manifest holds: a field of another kind may be left out, an unknown one is refused. */
        fun read(node: Node): FrontEndSpec {
            val kind = node.field("kind").let { kind -> kind.oneOf(FrontEndKind.entries.map { it.label }) }
                .let { label -> FrontEndKind.entries.first { it.label == label } }
            val own = fieldsOfKind.getValue(kind)
            val known = fieldsOfKind.values.flatten().toSet()
            node.names().find { it !in known }?.let { node.refuse(shown(it), "no unknown field") }
            node.names().find { it !in own && !node.field(it).isNull }?.let { node.field(it).refuse("a value", "null, for the kind ${kind.label}") }
            fun number(name: String) = if (name in own) node.field(name).number() else null
            fun whole(name: String) = if (name in own) node.field(name).int() else null
            for ((name, word) in words) if (name in own) node.field(name).oneOf(listOf(word))
            return FrontEndSpec(
                kind,
                sampleRateHz = node.field("sample_rate_hz").int(),
                windowSamples = whole("window_samples"),
                hopSamples = whole("hop_samples"),
                fftSamples = whole("fft_samples"),
                clipSamples = node.field("clip_samples").int(),
                inputScale = node.field("input_scale").number(),
                exponent = number("exponent"),
                melBins = whole("mel_bins"),
                melLowHz = number("mel_low_hz"),
                melHighHz = number("mel_high_hz"),
                melFloor = number("mel_floor"),
                logOffset = number("log_offset"),
                logScale = number("log_scale"),
                preEmphasis = number("pre_emphasis"),
                wholeNumberDivision = if ("division" in own) node.field("division").oneOf(listOf("float", "py2_floor")) == "py2_floor" else null,
            )
        }
    }
}
