package voxtoon

import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.math.abs

/**
 * A call as two threads see it: the pushing one fills a queue, the listening one empties it into a [CallSession].
 *
 * The lock is held for copies only. Pushing allocates nothing.
 */
internal class QueuedStream(
    private val callId: String,
    format: PcmFormat,
    private val pipeline: Pipeline,
    private val options: Options,
    private val waits: Boolean,
    private val isRecording: Boolean,
    private val wake: () -> Unit,
    private val forget: (QueuedStream) -> Unit,
) : VoiceStream {
    private enum class Phase { OPEN, FINISHING, CLOSED }

    private val lock = Object()
    private var format = format
    private var queue = queue(format)
    private var fedS = 0.0
    private var hasNewFormat = false
    private var phase = Phase.OPEN
    private var isDone = false
    private var failure: VoxtoonException? = null

    @Volatile
    private var listener: Listener? = null

    @Volatile
    override var latest: AvatarUpdate? = null
        private set

    @Volatile
    override var state = CallState.LISTENING
        private set

    @Volatile
    override var droppedSamples = 0L
        private set

    @Volatile
    override var listenerFailures = 0
        private set

    override val waitingSamples: Int get() = synchronized(lock) { queue.count }

    // The listening thread's own, made when the first sound is there.
    private var session: CallSession? = null

    override fun setListener(listener: Listener?) {
        this.listener = listener
        latest?.let { tell { onUpdate(it) } }
    }

    override fun changeFormat(format: PcmFormat): Unit = synchronized(lock) {
        checkOpen()
        if (format == this.format) return
        while (waits && !queue.isEmpty && phase == Phase.OPEN) lock.wait()
        droppedSamples += queue.clear()
        if (format.sampleRateHz != this.format.sampleRateHz) {
            queue = queue(format).also(queue::copyGapsTo)
            hasNewFormat = true
        }
        this.format = format
    }

    override fun push(samples: ShortArray, length: Int, atUs: Long) {
        synchronized(lock) {
            checkFrames(length, samples.size, bytesPerNumber = 1)
            val frames = length / format.channels
            var frame = place(frames, atUs)
            while (frame < frames) {
                val at = frame * format.channels + format.channel
                val put = if (isDone) 0 else queue.put(samples, at, format.channels, frames - frame)
                if (put == 0) put(samples[at])
                frame += maxOf(put, 1)
            }
        }
        wake()
    }

    override fun push(pcm: ByteArray, length: Int, atUs: Long) {
        synchronized(lock) {
            checkFrames(length, pcm.size, bytesPerNumber = 2)
            val frames = length / (2 * format.channels)
            for (frame in place(frames, atUs) until frames) {
                val at = 2 * (frame * format.channels + format.channel)
                put((pcm[at].toInt() and 0xFF or (pcm[at + 1].toInt() shl 8)).toShort())
            }
        }
        wake()
    }

    override fun push(pcm: ByteBuffer, frames: Int, atUs: Long) {
        synchronized(lock) {
            val bytes = 2L * frames * format.channels
            if (frames < 0 || bytes > pcm.remaining()) throw InputException("PCM is cut short", got = "${pcm.remaining()} bytes", expected = "$bytes for $frames frames")
            checkOpen()
            val isBig = pcm.order() == ByteOrder.BIG_ENDIAN
            val start = pcm.position() + 2 * format.channel
            for (frame in place(frames, atUs) until frames) {
                val value = pcm.getShort(start + 2 * frame * format.channels)
                put(if (isBig) java.lang.Short.reverseBytes(value) else value)
            }
        }
        wake()
    }

    override fun finish(): AvatarUpdate? {
        synchronized(lock) {
            if (phase == Phase.OPEN) phase = Phase.FINISHING
            wake()
            while (!isDone && phase != Phase.CLOSED) lock.wait(LONGEST_WAIT_MS)
            failure?.let { throw it }
        }
        return latest?.takeIf { it.isFinal }
    }

    override fun close() {
        synchronized(lock) {
            phase = Phase.CLOSED
            queue.clear()
            lock.notifyAll()
        }
        listener = null
        wake()
    }

    /** Hears up to [chunk] of what is waiting, on the listening thread; false when there was nothing to do. */
    fun work(chunk: FloatArray): Boolean {
        var length = 0
        var gapS = 0.0
        var rate = 0
        var isLast = false
        synchronized(lock) {
            if (isDone) return false
            if (phase == Phase.CLOSED) {
                end(null)
                return true
            }
            gapS = queue.takeGap()
            length = queue.take(chunk)
            isLast = phase == Phase.FINISHING && queue.isEmpty
            if (length == 0 && gapS == 0.0 && !isLast) return false // a new format waits for its first sound
            if (hasNewFormat || session == null) rate = format.sampleRateHz
            hasNewFormat = false
            lock.notifyAll() // those who wait for room
        }
        try {
            hear(gapS, chunk, length, rate, isLast)
            if (isLast) synchronized(lock) { end(null) }
        } catch (error: VoxtoonException) {
            fail(error)
        } catch (error: RuntimeException) {
            fail(CheckException("the call cannot go on", got = error, cause = error))
        } catch (error: OutOfMemoryError) {
            fail(CheckException("the call cannot go on", got = "no memory left", cause = error))
        }
        return true
    }

    private fun hear(gapS: Double, chunk: FloatArray, length: Int, newRate: Int, isLast: Boolean) {
        val session = session?.also { if (newRate > 0) it.changeRate(newRate) }
            ?: CallSession(pipeline, options, newRate, isRecording, ::update).also { session = it }
        if (gapS > 0) session.skip(gapS)
        session.push(chunk, length)
        if (isLast) session.finish()
    }

    private fun update(new: NewFace) {
        val face = new.face
        val update = AvatarUpdate(
            callId, new.state,
            speechMs = Math.round(1000 * face.speechS), heardMs = new.heardMs,
            confidence = face.confidence, reason = face.reason, isNarrowband = face.narrowband,
            angleDeg = new.angleDeg, hasSecondVoice = new.hasSecondVoice, isFinal = new.isFinal,
            parameters = pipeline.parameters(face, options.style), face = face,
        )
        latest = update
        state = new.state
        tell { onUpdate(update) }
    }

    /** Whatever a listener throws is its own affair: the call and the process go on. */
    private fun tell(action: Listener.() -> Unit) {
        val told = listener ?: return
        val safely = Runnable {
            try {
                told.action()
            } catch (error: Exception) {
                listenerFailures++
            }
        }
        val executor = options.callbacks
        if (executor == null) return safely.run()
        try {
            executor.execute(safely)
        } catch (error: RuntimeException) { // it takes nothing more
            listenerFailures++
        }
    }

    private fun fail(error: VoxtoonException) {
        state = CallState.FAILED
        synchronized(lock) { end(error) }
        tell { onError(error) }
    }

    private fun end(error: VoxtoonException?) {
        failure = error
        isDone = true
        session = null
        forget(this)
        lock.notifyAll()
    }

    /** Notes the gap before a piece that begins [atUs]; returns how many of its frames were heard already. */
    private fun place(frames: Int, atUs: Long): Int {
        if (atUs < 0 && atUs != VoiceStream.RIGHT_AFTER) throw InputException("atUs", got = atUs, expected = "microseconds since the call began")
        val rateHz = format.sampleRateHz.toDouble()
        val missingS = if (atUs == VoiceStream.RIGHT_AFTER) 0.0 else atUs / 1e6 - fedS
        fedS += frames / rateHz
        if (abs(missingS) < TIME_TOLERANCE_S) return 0
        fedS += maxOf(missingS, -frames / rateHz)
        if (missingS < 0) return minOf(frames, Math.rint(-missingS * rateHz).toInt())
        waitForRoom()
        droppedSamples += queue.putGap(missingS)
        return 0
    }

    private fun put(sample: Short) {
        if (queue.isFull) waitForRoom()
        val lost = if (isDone) 1 else queue.put(sample) // its model failed: nobody hears
        if (lost > 0) droppedSamples += lost
    }

    private fun waitForRoom() {
        while (waits && queue.isFull && phase == Phase.OPEN && !isDone) {
            wake()
            lock.wait(LONGEST_WAIT_MS)
        }
    }

    private fun checkFrames(length: Int, size: Int, bytesPerNumber: Int) {
        if (length < 0 || length > size) throw InputException("PCM is cut short", got = size, expected = "$length")
        if (length % (bytesPerNumber * format.channels) != 0) {
            throw InputException("PCM that ends within a frame", got = length, expected = "a multiple of ${bytesPerNumber * format.channels}")
        }
        checkOpen()
    }

    private fun checkOpen() {
        if (phase != Phase.OPEN) throw InputException("the call is closed", hint = "open another one")
    }

    private fun queue(format: PcmFormat) = SampleQueue(format.sampleRateHz, capacity = (format.sampleRateHz.toLong() * options.queueMs / 1000).toInt())

    private companion object {
        /** A piece whose time is nearer than this to the end of the last one follows it: less than any packet. */
        const val TIME_TOLERANCE_S = 0.008
        const val LONGEST_WAIT_MS = 1000L
    }
}
