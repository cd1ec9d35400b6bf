package voxtoon.sample

import android.app.Activity
import android.app.NotificationManager
import android.app.PendingIntent
import android.content.Intent
import android.graphics.drawable.Icon
import android.os.Bundle
import android.view.Gravity
import android.widget.LinearLayout
import android.widget.TextView
import voxtoon.AvatarUpdate
import voxtoon.CallState
import voxtoon.PcmFormat
import voxtoon.VoiceStream
import voxtoon.android.CallNotification
import voxtoon.android.RemoteAudio

/**
 * A VoIP call's screen: the avatar takes shape as the caller speaks, here and in the notification.
 *
 * Whoever makes the call gives [audio]`::onData` to the remote audio track: `track.addSink(activity.audio!!::onData)` with
 * WebRTC. The sample has no calls of its own.
 */
class CallActivity : Activity() {
    private lateinit var view: AvatarView
    private lateinit var status: TextView
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
        val application = application as SampleApplication
        application.inBackground {
            val opened = application.avatars.get().newCall(intent.getStringExtra(CALLER).orEmpty(), PcmFormat())
            runOnUiThread { listen(opened) }
        }
    }

    override fun onDestroy() {
        call?.close()
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
        val open = PendingIntent.getActivity(this, 0, Intent(this, CallActivity::class.java), PendingIntent.FLAG_IMMUTABLE)
        val notification = CallNotification(this, SampleApplication.CALLS, Icon.createWithResource(this, android.R.drawable.sym_call_incoming))
            .ongoing(intent.getStringExtra(CALLER).orEmpty(), update.drawing, hangUp = open)
        getSystemService(NotificationManager::class.java)?.notify(CALL, notification)
    }

    companion object {
        const val CALLER = "caller"
        private const val CALL = 1
    }
}
