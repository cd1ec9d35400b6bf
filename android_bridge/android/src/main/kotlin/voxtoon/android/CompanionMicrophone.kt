package voxtoon.android

import android.Manifest
import android.content.Context
import android.content.pm.PackageManager
import android.media.AudioFormat
import android.media.AudioRecord
import android.media.MediaRecorder
import android.os.Build
import voxtoon.CheckException
import voxtoon.InputException
import voxtoon.PcmFormat
import voxtoon.VoiceStream

/**
 * The microphone of a second device beside the phone on speaker, or of this one outside of calls.
 *
 * On the phone that makes the call Android gives an ordinary application silence, see [isSilenced]. The application
 * declares and asks for `RECORD_AUDIO`; this library does not.
 */
public class CompanionMicrophone private constructor(private val record: AudioRecord, private val call: VoiceStream) : AutoCloseable {
    @Volatile
    private var isClosed = false
    private val thread = Thread(::listen, "voxtoon-microphone").apply { isDaemon = true }

    /** Whether Android gives this application silence because a call has the microphone; false where it cannot be known. */
    public val isSilenced: Boolean
        get() = Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q && silenced(record)

    /** Stops listening and lets the microphone go; the call stays open. */
    override fun close() {
        isClosed = true
    }

    private fun listen() {
        val samples = ShortArray(SAMPLES)
        try {
            record.startRecording()
            while (!isClosed) {
                val count = record.read(samples, 0, samples.size)
                if (count < 0) break // the device took the microphone away
                call.push(samples, count)
            }
        } catch (error: InputException) {
            isClosed = true // the call was closed first
        } finally {
            record.release()
        }
    }

    public companion object {
        private const val RATE_HZ = 16_000
        private const val SAMPLES = RATE_HZ / 50

        /** The format to open the call with. */
        @JvmField
        public val FORMAT: PcmFormat = PcmFormat(RATE_HZ)

        /**
         * Listens until it is closed, on a thread of its own.
         *
         * @param call opened with [FORMAT].
         * @throws InputException when the application has no right to record.
         * @throws CheckException when there is no microphone to be had.
         */
        @JvmStatic
        public fun open(context: Context, call: VoiceStream): CompanionMicrophone {
            if (context.checkSelfPermission(Manifest.permission.RECORD_AUDIO) != PackageManager.PERMISSION_GRANTED) {
                throw InputException("microphone", got = "no permission", expected = "RECORD_AUDIO", hint = "declare it and ask the user for it")
            }
            val size = AudioRecord.getMinBufferSize(RATE_HZ, AudioFormat.CHANNEL_IN_MONO, AudioFormat.ENCODING_PCM_16BIT)
            val record = AudioRecord(
                MediaRecorder.AudioSource.VOICE_RECOGNITION, RATE_HZ, AudioFormat.CHANNEL_IN_MONO, AudioFormat.ENCODING_PCM_16BIT,
                maxOf(size, 4 * SAMPLES),
            )
            if (record.state != AudioRecord.STATE_INITIALIZED) {
                record.release()
                throw CheckException("microphone", got = "one that cannot be opened", hint = "another application may have it")
            }
            return CompanionMicrophone(record, call).also { it.thread.start() }
        }

        @NeedsApi(29)
        private fun silenced(record: AudioRecord): Boolean = record.activeRecordingConfiguration?.isClientSilenced ?: false
    }
}
