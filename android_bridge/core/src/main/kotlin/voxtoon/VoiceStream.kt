package voxtoon

import java.nio.ByteBuffer
import voxtoon.avatar.AvatarParameters
import voxtoon.avatar.Drawing
import voxtoon.face.Face
import voxtoon.voice.Reason
import voxtoon.voice.Resampler

/**
 * How the samples of a call lie: signed 16-bit numbers, little-endian where they are bytes, channels in turn.
 *
 * @property channel the one that is heard, counted from 0. Channels are not mixed: that combs a voice which reached two
 *   microphones at different times.
 * @throws InputException when a number is out of range.
 */
public data class PcmFormat(val sampleRateHz: Int = 48_000, val channels: Int = 1, val channel: Int = 0) {
    init {
        if (sampleRateHz !in Resampler.LOWEST_RATE_HZ..Resampler.HIGHEST_RATE_HZ) {
            throw InputException("sample rate", got = "$sampleRateHz Hz", expected = "from ${Resampler.LOWEST_RATE_HZ} to ${Resampler.HIGHEST_RATE_HZ} Hz")
        }
        if (channels !in 1..MOST_CHANNELS) throw InputException("channels", got = channels, expected = "1 to $MOST_CHANNELS")
        if (channel !in 0 until channels) throw InputException("channel", got = channel, expected = "0 to ${channels - 1}")
    }

    private companion object {
        const val MOST_CHANNELS = 32
    }
}

/**
 * A face of a call.
 *
 * @property callId of the call.
 * @property state of the call with this face.
 * @property speechMs speech that was heard so far.
 * @property heardMs sound that was heard so far.
 * @property confidence from 0 to 1; below 0.3 the avatar is the neutral one.
 * @property reason why the confidence is what it is.
 * @property isNarrowband whether the voice comes through a telephone line, which takes from the confidence nothing but
 *   should be said.
 * @property angleDeg between the features of this face and of the one before; null for the first.
 * @property hasSecondVoice whether somebody else was heard since the update before; the face is still that of all of it.
 * @property isFinal whether the call has ended with it.
 * @property parameters what the avatar is drawn from.
 * @property face what was decoded of the voice.
 */
public class AvatarUpdate internal constructor(
    public val callId: String,
    public val state: CallState,
    public val speechMs: Long,
    public val heardMs: Long,
    public val confidence: Double,
    public val reason: Reason,
    public val isNarrowband: Boolean,
    public val angleDeg: Double?,
    public val hasSecondVoice: Boolean,
    public val isFinal: Boolean,
    public val parameters: AvatarParameters,
    public val face: Face,
) {
    /** The avatar: an illustration and not a likeness. */
    public val drawing: Drawing by lazy { Drawing(parameters) }
}

/** What is told of a call, on the thread of [Options.callbacks]. What it throws is caught and counted. */
public fun interface Listener {
    /** A new face. */
    public fun onUpdate(update: AvatarUpdate)

    /** The call cannot go on: its model failed. Other calls are not touched. */
    public fun onError(error: VoxtoonException): Unit = Unit
}

/**
 * One remote party of a call. Its methods may be called from any thread; [push] copies and returns at once.
 *
 * Sound that comes faster than it is heard is kept for [Options.queueMs]; then the oldest is dropped, counted and heard as
 * silence.
 *
 * Where packets get lost, come late or twice, `atUs` says when a piece begins, in microseconds since the call began, by the
 * clock that sampled it (of RTP: its timestamp, not its arrival). What is missing before it is heard as silence, what was
 * heard already is left out, and a clock that drifts is followed in steps of 8 ms. Of a gap over 3 s the rest is skipped.
 */
public interface VoiceStream : AutoCloseable {
    /** Who is told of faces; the last one set. A face that is already there is told at once. */
    public fun setListener(listener: Listener?)

    /** Where the call stands. */
    public val state: CallState

    /** The last face, null before the first. */
    public val latest: AvatarUpdate?

    /** Samples of one channel that were dropped because they came faster than they were heard. */
    public val droppedSamples: Long

    /** Samples of one channel that came and are still to be heard. */
    public val waitingSamples: Int

    /** Times that a listener threw. */
    public val listenerFailures: Int

    /** The next samples have another format: the call goes on with them. */
    public fun changeFormat(format: PcmFormat)

    /**
     * Hears the first [length] numbers of [samples], whole frames of all channels.
     *
     * @param atUs when they begin, as said above; right after the last ones if not given.
     * @throws InputException when they are no whole frames, the time is none, or the stream is closed.
     */
    public fun push(samples: ShortArray, length: Int, atUs: Long = RIGHT_AFTER)

    /**
     * Hears [frames] frames from the position of [pcm] on, 16-bit little-endian; the buffer's position is left alone.
     *
     * @param atUs when they begin, as said above; right after the last ones if not given.
     * @throws InputException when the buffer holds fewer, the time is none, or the stream is closed.
     */
    public fun push(pcm: ByteBuffer, frames: Int, atUs: Long = RIGHT_AFTER)

    /**
     * Hears the first [length] bytes, 16-bit little-endian.
     *
     * @param atUs when they begin, as said above; right after the last ones if not given.
     * @throws InputException when they are no whole frames, the time is none, or the stream is closed.
     */
    public fun push(pcm: ByteArray, length: Int, atUs: Long = RIGHT_AFTER)

    /**
     * Ends the call and waits until all of it is heard; not for the main thread.
     *
     * @return the face of the whole call, null when nothing was pushed or the stream was closed.
     * @throws VoxtoonException when the model failed on the way.
     */
    public fun finish(): AvatarUpdate?

    /** Ends the call without another face, at once. Closing twice is fine. */
    override fun close()

    public companion object {
        /** The time of a piece that begins where the last one ended. */
        public const val RIGHT_AFTER: Long = Long.MIN_VALUE
    }
}
