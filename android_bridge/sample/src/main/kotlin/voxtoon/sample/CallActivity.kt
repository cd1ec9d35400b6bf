package voxtoon.sample

import android.app.Activity
import android.content.Intent
import android.os.Bundle
import android.view.Gravity
import android.widget.LinearLayout
import android.widget.TextView
import voxtoon.AvatarUpdate
import voxtoon.CallState
import voxtoon.PcmFormat
import voxtoon.VoiceStream
import voxtoon.android.RemoteAudio

/**
 * A VoIP call's screen: the avatar takes shape as the caller speaks, here and in the notification. Unless the user has
 * agreed in the settings, nobody is heard and the avatar stays neutral.
 *
 * Whoever makes the call gives [audio]`::onData` to the remote audio track: `track.addSink(activity.audio!!::onData)` with
 * WebRTC. The sample has no calls of its own.
 */
class CallActivity : Activity() {
    private lateinit var view: AvatarView
    private lateinit var status: TextView
    private val caller: String get() = intent.getStringExtra(CALLER).orEmpty()
    private var call: VoiceStream? = null

    /** What the remote audio track is given. */
    var audio: RemoteAudio? = null
        private set

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        view = AvatarView(this)
        status = TextView(this).apply {
            gravity = Gravity.CENTER
            setText(R.string.listening)
        }
        val cartoon = TextView(this).apply {
            gravity = Gravity.CENTER
            setText(R.string.cartoon)
        }
        setContentView(
            LinearLayout(this).apply {
                orientation = LinearLayout.VERTICAL
                addView(view, LinearLayout.LayoutParams(LinearLayout.LayoutParams.MATCH_PARENT, 0, 1f))
                addView(status)
                addView(cartoon)
            },
        )
        CallService.begin(this, caller)
        val application = application as SampleApplication
        if (!application.drawsCallers) return
        application.inBackground {
            val opened = application.avatars.get().newCall(caller, PcmFormat())
            runOnUiThread { listen(opened) }
        }
    }

    override fun onNewIntent(intent: Intent) {
        super.onNewIntent(intent)
        if (intent.action == HANG_UP) finish()
    }

    override fun onDestroy() {
        call?.close()
        CallService.end(this)
        super.onDestroy()
    }

    private fun listen(opened: VoiceStream) {
        if (isDestroyed) return opened.close()
        call = opened
        audio = RemoteAudio(opened)
        opened.setListener(::show)
    }

    private fun show(update: AvatarUpdate) {
        view.show(update)
        status.setText(
            when (update.state) {
                CallState.LISTENING, CallState.FAILED -> R.string.listening
                CallState.DRAFT -> R.string.draft
                CallState.STABLE -> R.string.settled
            },
        )
        (application as SampleApplication).lastAvatar = update.drawing
        CallService.show(this, caller, update.parameters)
    }

    companion object {
        const val CALLER = "caller"
        const val HANG_UP = "voxtoon.sample.HANG_UP"
    }
}
