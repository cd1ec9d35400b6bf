package voxtoon

/**
 * Samples that wait to be heard, and the gaps between them. Where there is no room the oldest sample becomes a gap, so
 * that no time is lost.
 *
 * For one thread at a time; it allocates nothing.
 */
internal class SampleQueue(private val rateHz: Int, capacity: Int) {
    private val samples = ShortArray(capacity)
    private var head = 0

    // Gaps in their order: what was put before each, and how long it is. What is missing at the head is kept apart.
    private val gapAt = LongArray(MOST_GAPS)
    private val gapS = DoubleArray(MOST_GAPS)
    private var firstGap = 0
    private var gaps = 0
    private var taken = 0L
    private var missingS = 0.0

    /** Samples that wait. */
    var count = 0
        private set

    /** Whether neither a sample nor a gap waits. */
    val isEmpty: Boolean get() = count == 0 && gaps == 0 && missingS == 0.0

    /** Whether another sample or gap makes the oldest sample a gap. */
    val isFull: Boolean get() = count == samples.size || gaps == MOST_GAPS

    /** Puts a sample at the end; returns how many were given up for it. */
    fun put(sample: Short): Int {
        val lost = makeRoom()
        samples[(head + count) % samples.size] = sample
        count++
        return lost
    }

    /** Puts as many of [most] samples at the end as there is room for, every [step]-th of [source] from [from] on; returns how many. */
    fun put(source: ShortArray, from: Int, step: Int, most: Int): Int {
        val length = minOf(most, if (isFull) 0 else samples.size - count)
        var to = (head + count) % samples.size
        for (i in 0 until length) {
            samples[to++] = source[from + i * step]
            if (to == samples.size) to = 0
        }
        count += length
        return length
    }

    /** Puts a gap at the end; returns how many samples were given up for it. */
    fun putGap(seconds: Double): Int {
        val lost = makeRoom()
        val place = (firstGap + gaps++) % MOST_GAPS
        gapAt[place] = taken + count
        gapS[place] = seconds
        return lost
    }

    /** Takes the gap before the oldest sample: its seconds, or 0. */
    fun takeGap(): Double {
        while (gaps > 0 && gapAt[firstGap] == taken) {
            missingS += gapS[firstGap]
            firstGap = (firstGap + 1) % MOST_GAPS
            gaps--
        }
        return missingS.also { missingS = 0.0 }
    }

    /** Takes the oldest samples up to the next gap, as shares of full scale; returns how many. */
    fun take(into: FloatArray): Int {
        val untilGap = if (gaps == 0) count else minOf(count.toLong(), gapAt[firstGap] - taken).toInt()
        val length = minOf(untilGap, into.size)
        for (i in 0 until length) into[i] = samples[(head + i) % samples.size] / FULL_SCALE
        skip(length)
        return length
    }

    /** Gives all samples up; returns how many. */
    fun clear(): Int {
        val lost = count
        while (count > 0) giveUpOldest()
        return lost
    }

    /** Seconds that are missing before anything that comes next, once all samples are gone. */
    fun copyGapsTo(other: SampleQueue) {
        other.missingS = takeGap()
    }

    private fun makeRoom(): Int {
        val before = count
        while (isFull) giveUpOldest()
        return before - count
    }

    private fun giveUpOldest() {
        missingS = takeGap()
        if (count == 0) return
        skip(1)
        missingS += 1.0 / rateHz
    }

    private fun skip(length: Int) {
        head = (head + length) % samples.size
        taken += length
        count -= length
    }

    private companion object {
        const val FULL_SCALE = 32768f
        const val MOST_GAPS = 256
    }
}
