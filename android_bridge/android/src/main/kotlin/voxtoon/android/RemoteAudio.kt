package voxtoon.android

import java.nio.ByteBuffer
import voxtoon.InputException
import voxtoon.PcmFormat
import voxtoon.VoiceStream

/**
 * The far end of a WebRTC call: has the shape of `org.webrtc.AudioTrackSink`, which several builds of WebRTC offer, and
 * none of its classes.
 *
 * ```
 * val audio = RemoteAudio(avatars.newCall(callId))
 * remoteAudioTrack.addSink(audio::onData)
 * ```
 *
 * It runs on WebRTC's thread: it copies, never moves the buffer's position, returns at once and never throws. When the
 * format changes within a call, as it may, the call goes on with the new one.
 */
public class RemoteAudio(private val call: VoiceStream) {
    private var format: PcmFormat? = null

    /** Pieces that were not heard, because they were no 16-bit PCM or came after the end. */
    @Volatile
    public var refused: Int = 0
        private set

    /** Takes one piece of decoded sound, mostly 10 ms. */
    public fun onData(
        audioData: ByteBuffer,
        bitsPerSample: Int,
        sampleRate: Int,
        numberOfChannels: Int,
        numberOfFrames: Int,
        @Suppress("UNUSED_PARAMETER") absoluteCaptureTimestampMs: Long,
    ) {
        try {
            if (bitsPerSample != BITS) throw InputException("bits per sample", got = bitsPerSample, expected = BITS)
            val known = format
            if (known == null || known.sampleRateHz != sampleRate || known.channels != numberOfChannels) {
                format = PcmFormat(sampleRate, numberOfChannels).also(call::changeFormat)
            }
            call.push(audioData, numberOfFrames)
        } catch (error: InputException) { // to throw here would end the host's audio thread
            refused++
        }
    }

    private companion object {
        const val BITS = 16
    }
}
