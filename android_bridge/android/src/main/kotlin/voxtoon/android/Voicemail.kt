package voxtoon.android

import android.content.Context
import android.media.MediaCodec
import android.media.MediaExtractor
import android.media.MediaFormat
import android.net.Uri
import java.io.IOException
import java.nio.Buffer
import java.nio.ByteOrder
import voxtoon.AvatarUpdate
import voxtoon.CallerAvatar
import voxtoon.CheckException
import voxtoon.InputException
import voxtoon.PcmFormat
import voxtoon.VoiceStream

/** A recording that the user shared: a voicemail, a voice message; whatever the device can decode. */
public object Voicemail {
    private const val TIMEOUT_US = 10_000L
    private const val MOST_IDLE_ROUNDS = 1_000

    /**
     * Hears a recording to its end. This takes a while: call it off the main thread.
     *
     * @param uri of a `content:` that was shared with the application.
     * @param longestMs where to stop.
     * @return its face, null where it holds no sound.
     * @throws voxtoon.VoxtoonException when it is no sound that the device decodes, or the model fails.
     */
    @JvmStatic
    @JvmOverloads
    public fun hear(context: Context, uri: Uri, avatars: CallerAvatar, longestMs: Long = 120_000): AvatarUpdate? {
        val extractor = MediaExtractor()
        try {
            extractor.setDataSource(context, uri, null)
            val track = (0 until extractor.trackCount).firstOrNull { mime(extractor.getTrackFormat(it)).startsWith("audio/") }
                ?: throw InputException("recording", got = "no sound in it", expected = "a sound file", hint = "share a voicemail or voice message")
            extractor.selectTrack(track)
            return decode(extractor, extractor.getTrackFormat(track), avatars, longestMs * 1000)
        } catch (error: IOException) {
            throw InputException("recording", got = error.message, expected = "a sound file that this device decodes", cause = error)
        } catch (error: SecurityException) {
            throw InputException("recording", got = "no right to read it", hint = "open what was shared while the sharing intent is alive", cause = error)
        } finally {
            extractor.release()
        }
    }

    private fun decode(extractor: MediaExtractor, format: MediaFormat, avatars: CallerAvatar, longestUs: Long): AvatarUpdate? {
        val codec = MediaCodec.createDecoderByType(mime(format))
        val call = avatars.newRecording("voicemail", pcmFormat(format))
        try {
            codec.configure(format, null, null, 0)
            codec.start()
            drain(extractor, codec, call, longestUs)
            codec.stop()
            return call.finish()
        } catch (error: IllegalStateException) { // MediaCodec.CodecException among them
            throw CheckException("the recording cannot be decoded", got = error.message, hint = "share it in another format", cause = error)
        } finally {
            call.close()
            codec.release()
        }
    }

    private fun drain(extractor: MediaExtractor, codec: MediaCodec, call: VoiceStream, longestUs: Long) {
        val info = MediaCodec.BufferInfo()
        var isFed = false
        var idle = 0
        while (idle < MOST_IDLE_ROUNDS) {
            if (!isFed) isFed = feed(extractor, codec, longestUs)
            val index = codec.dequeueOutputBuffer(info, TIMEOUT_US)
            idle = if (index == MediaCodec.INFO_TRY_AGAIN_LATER) idle + 1 else 0
            if (index == MediaCodec.INFO_OUTPUT_FORMAT_CHANGED) call.changeFormat(pcmFormat(codec.outputFormat))
            if (index < 0) continue
            hear(codec, index, info, call)
            codec.releaseOutputBuffer(index, false)
            if (info.flags and MediaCodec.BUFFER_FLAG_END_OF_STREAM != 0) return
        }
        throw CheckException("the recording cannot be decoded", got = "a decoder that stopped", hint = "share it in another format")
    }

    /** Gives the decoder the next piece; true when it was the last. */
    private fun feed(extractor: MediaExtractor, codec: MediaCodec, longestUs: Long): Boolean {
        val index = codec.dequeueInputBuffer(TIMEOUT_US)
        if (index < 0) return false
        val size = codec.getInputBuffer(index)?.let { extractor.readSampleData(it, 0) } ?: -1
        val isLast = size < 0 || extractor.sampleTime > longestUs
        if (isLast) {
            codec.queueInputBuffer(index, 0, 0, 0, MediaCodec.BUFFER_FLAG_END_OF_STREAM)
        } else {
            codec.queueInputBuffer(index, 0, size, extractor.sampleTime, 0)
            extractor.advance()
        }
        return isLast
    }

    private fun hear(codec: MediaCodec, index: Int, info: MediaCodec.BufferInfo, call: VoiceStream) {
        val output = codec.getOutputBuffer(index) ?: return
        val channels = codec.outputFormat.getInteger(MediaFormat.KEY_CHANNEL_COUNT)
        (output as Buffer).position(info.offset) // ByteBuffer's own of that name came after API 24
        (output as Buffer).limit(info.offset + info.size)
        call.push(output.order(ByteOrder.nativeOrder()), info.size / (2 * channels))
    }

    private fun mime(format: MediaFormat): String = format.getString(MediaFormat.KEY_MIME).orEmpty()

    private fun pcmFormat(format: MediaFormat) =
        PcmFormat(format.getInteger(MediaFormat.KEY_SAMPLE_RATE), format.getInteger(MediaFormat.KEY_CHANNEL_COUNT))
}
