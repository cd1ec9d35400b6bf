package voxtoon.voice

/**
 * Speech and nothing else: what the detector takes for speech, without what lasts too short to be any.
 *
 * Tones, music and noise of a telephone line pass the detector for one to three windows now and then, which would add up
 * to speech within minutes on hold.
 *
 * @param leastRun how many windows in a row are speech; 1 for recordings, which are too short for mistakes to add up.
 */
internal class SpeechGate(private val detector: SpeechDetector, private val threshold: Double, private val leastRun: Int) {
    private var run = 0
    private var counted = 0
    private val count = ProbabilitySink { probability ->
        run = if (probability >= threshold) minOf(run + 1, leastRun + 1) else 0
        if (run >= leastRun) counted += if (run == leastRun) leastRun else 1
    }

    /**
     * How many windows of speech these samples make certain: none while a run is too short, then all of it at once, then
     * each further one.
     */
    fun push(samples: FloatArray, offset: Int, length: Int): Int {
        counted = 0
        detector.push(samples, offset, length, count)
        return counted
    }

    companion object {
        /** Of a call. */
        const val LEAST_RUN = 4
    }
}
