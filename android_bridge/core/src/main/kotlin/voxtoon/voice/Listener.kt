package voxtoon.voice

/**
 * What a face is made from.
 *
 * @property feature mean over the windows, weighted by their speech.
 * @property descriptor likewise, see `docs/bundle.md`, field `domain`.
 * @property speechS seconds of speech in all that was heard.
 * @property soundS seconds of anything louder than silence.
 * @property narrowband whether most of the speech came through a telephone line.
 */
internal class Heard(
    val feature: FloatArray,
    val descriptor: DoubleArray,
    val speechS: Double,
    val soundS: Double,
    val narrowband: Boolean,
)

/**
 * Hears a 16 kHz signal in consecutive windows of one clip and remembers the best of them, in bounded memory.
 *
 * A signal no longer than a clip is one window, repeated up to the clip's length as the paper does; so is the unfinished
 * window at the end of a longer one. Windows with less than a second of speech, or less than half of a window where that
 * is shorter, count only where there is no other. However the signal is cut into calls, what was heard is the same.
 */
internal class Listener(
    private val gate: SpeechGate,
    private val encode: (FloatArray) -> FloatArray,
    private val clipSamples: Int,
) : VoiceListener {
    private class Window(val feature: FloatArray, val descriptor: DoubleArray, val speechS: Double, val narrowband: Boolean)

    private val clip = FloatArray(clipSamples)
    private val keptWindows = maxOf(1, KEPT_S * Resampler.MODEL_RATE_HZ / clipSamples)
    private val leastSpeechS = minOf(Confidence.LEAST_SPEECH_S, clipSamples / Resampler.MODEL_RATE_HZ.toDouble() / 2)
    private var best = emptyList<Window>()
    private var filled = 0
    private var closedSoundS = 0.0

    // Counted in the detector's windows of 32 ms: sums of seconds would depend on how the signal is cut.
    private var speechWindows = 0
    private var clipSpeechWindows = 0

    override var samples = 0L
        private set

    override val speechS: Double get() = seconds(speechWindows)

    /** Windows are too long to tell. */
    override val otherVoices: Int get() = 0

    override fun push(chunk: FloatArray, offset: Int, length: Int) {
        samples += length
        var read = 0
        while (read < length) {
            val piece = minOf(length - read, clipSamples - filled)
            System.arraycopy(chunk, offset + read, clip, filled, piece)
            // A window of the detector that straddles two clips belongs to the one it ends in.
            val speech = gate.push(chunk, offset + read, piece)
            speechWindows += speech
            clipSpeechWindows += speech
            read += piece
            filled += piece
            if (filled == clipSamples) closeWindow()
        }
    }

    /** The unfinished window is included; at least one sample must have come. */
    override fun heard(): Heard {
        val windows = if (clipSpeechWindows > 0) bestOf(best + listen(filled)) else best
        val chosen = windows.filter { it.speechS >= leastSpeechS }.ifEmpty { windows }
            .ifEmpty { listOf(listen(if (filled > 0) filled else clipSamples)) } // nobody spoke: still a face, of no confidence
        val speech = DoubleArray(chosen.size) { if (windows.isEmpty()) 1.0 else chosen[it].speechS }
        val weights = speech.sum().let { sum -> DoubleArray(speech.size) { speech[it] / sum } }
        fun mean(size: Int, value: (Window, Int) -> Double) =
            DoubleArray(size) { i -> chosen.indices.sumOf { weights[it] * value(chosen[it], i) } }
        return Heard(
            feature = mean(chosen[0].feature.size) { window, i -> window.feature[i].toDouble() }.let { all -> FloatArray(all.size) { all[it].toFloat() } },
            descriptor = mean(chosen[0].descriptor.size) { window, i -> window.descriptor[i] },
            speechS = speechS,
            soundS = closedSoundS + soundSeconds(clip, filled),
            narrowband = chosen.indices.sumOf { if (chosen[it].narrowband) weights[it] else 0.0 } > 0.5,
        )
    }

    private fun closeWindow() {
        closedSoundS += soundSeconds(clip, clipSamples)
        val least = if (best.size == keptWindows) best.last().speechS else 0.0
        if (seconds(clipSpeechWindows) > least) best = bestOf(best + listen(clipSamples))
        filled = 0
        clipSpeechWindows = 0
    }

    private fun listen(length: Int): Window {
        val whole = tileClip(clip, length, clipSamples)
        return Window(encode(whole), domainDescriptor(whole), seconds(clipSpeechWindows), isNarrowband(whole))
    }

    /** The windows with the most speech, most first; of equal ones the earlier. */
    private fun bestOf(windows: List<Window>): List<Window> = windows.sortedByDescending { it.speechS }.take(keptWindows)

    private companion object {
        /** Seconds of windows that are remembered; more speech changes the mean feature little. */
        const val KEPT_S = 30
    }
}
