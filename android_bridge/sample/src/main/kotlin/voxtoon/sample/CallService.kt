package voxtoon.sample

import android.app.PendingIntent
import android.app.Service
import android.content.Context
import android.content.Intent
import android.graphics.drawable.Icon
import android.os.Build
import android.os.IBinder
import voxtoon.android.CallNotification
import voxtoon.android.NeedsApi
import voxtoon.avatar.AvatarParameters
import voxtoon.avatar.Drawing

/**
 * The notification of a running call: from API 31 on Android takes a `CallStyle` without a full-screen intent from a
 * foreground service alone, and throws otherwise.
 */
class CallService : Service() {
    override fun onBind(intent: Intent?): IBinder? = null

    override fun onStartCommand(intent: Intent?, flags: Int, startId: Int): Int {
        val caller = intent?.getStringExtra(CallActivity.CALLER).orEmpty()
        val avatar = intent?.getStringExtra(AVATAR)?.let(AvatarParameters::fromJson) ?: AvatarParameters.NEUTRAL
        val hangUp = Intent(this, CallActivity::class.java).setAction(CallActivity.HANG_UP)
        val notification = CallNotification(this, SampleApplication.CALLS, Icon.createWithResource(this, android.R.drawable.sym_call_incoming))
            .ongoing(caller, Drawing(avatar), PendingIntent.getActivity(this, 0, hangUp, PendingIntent.FLAG_IMMUTABLE))
        startForeground(CALL, notification)
        return START_NOT_STICKY
    }

    companion object {
        private const val CALL = 1
        private const val AVATAR = "avatar"

        /** Shows the notification of a call with a neutral avatar; it stays until [end]. */
        fun begin(context: Context, caller: String) {
            val intent = intent(context, caller)
            if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.O) startInForeground(context, intent) else context.startService(intent)
        }

        /** Shows another avatar in it, from the background too. */
        fun show(context: Context, caller: String, avatar: AvatarParameters) {
            context.startService(intent(context, caller).putExtra(AVATAR, avatar.toJson()))
        }

        /** Takes the notification away. */
        fun end(context: Context) {
            context.stopService(Intent(context, CallService::class.java))
        }

        private fun intent(context: Context, caller: String) = Intent(context, CallService::class.java).putExtra(CallActivity.CALLER, caller)

        @NeedsApi(26)
        private fun startInForeground(context: Context, intent: Intent) {
            context.startForegroundService(intent)
        }
    }
}
