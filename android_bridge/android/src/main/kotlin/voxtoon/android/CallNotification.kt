package voxtoon.android

import android.app.Notification
import android.app.PendingIntent
import android.content.Context
import android.graphics.drawable.Icon
import android.os.Build
import voxtoon.avatar.Drawing

/**
 * A notification of an incoming or running call that shows the avatar: `Notification.CallStyle` from API 31 on, and below
 * it a plain notification with the avatar and the same buttons.
 *
 * From API 31 on Android takes a `CallStyle` only from a foreground service or with a full-screen intent, and throws in
 * `notify` otherwise: post [ongoing] by `startForeground`.
 *
 * @property channelId of a channel that the application made; ignored below API 26.
 * @property smallIcon of the application.
 */
public class CallNotification(private val context: Context, private val channelId: String, private val smallIcon: Icon) {
    /**
     * An incoming call.
     *
     * @param caller the name to show, as the application knows it.
     * @param avatar the last drawing; the neutral one before there is any.
     * @param fullScreen shown over the lock screen; null where a foreground service posts the notification.
     */
    public fun incoming(caller: CharSequence, avatar: Drawing, decline: PendingIntent, answer: PendingIntent, fullScreen: PendingIntent?): Notification {
        val builder = builder(caller, avatar)
        fullScreen?.let { builder.setFullScreenIntent(it, true) }
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.S) {
            incomingStyle(builder, avatar, caller, decline, answer)
        } else {
            builder.addAction(action(DECLINE, decline)).addAction(action(ANSWER, answer))
        }
        return builder.build()
    }

    /** A running call, to be posted again with each update. */
    public fun ongoing(caller: CharSequence, avatar: Drawing, hangUp: PendingIntent): Notification {
        val builder = builder(caller, avatar).setOngoing(true).setOnlyAlertOnce(true)
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.S) {
            ongoingStyle(builder, avatar, caller, hangUp)
        } else {
            builder.addAction(action(HANG_UP, hangUp))
        }
        return builder.build()
    }

    @Suppress("DEPRECATION") // the constructor without a channel is the only one below API 26
    private fun builder(caller: CharSequence, avatar: Drawing): Notification.Builder {
        val builder = if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.O) channelBuilder(context, channelId) else Notification.Builder(context)
        return builder
            .setSmallIcon(smallIcon)
            .setLargeIcon(avatar.toIcon())
            .setContentTitle(caller)
            .setContentText(avatar.description)
            .setCategory(Notification.CATEGORY_CALL)
            .setPriority(Notification.PRIORITY_HIGH)
            // What a caller looks like as a cartoon is nobody's business on a lock screen.
            .setVisibility(Notification.VISIBILITY_PRIVATE)
    }

    private fun action(label: Int, intent: PendingIntent): Notification.Action =
        Notification.Action.Builder(smallIcon, context.getText(label), intent).build()

    private companion object {
        const val ANSWER = android.R.string.ok
        const val DECLINE = android.R.string.cancel
        const val HANG_UP = android.R.string.cancel

        @NeedsApi(26)
        fun channelBuilder(context: Context, channelId: String) = Notification.Builder(context, channelId)

        @NeedsApi(31)
        fun incomingStyle(builder: Notification.Builder, avatar: Drawing, caller: CharSequence, decline: PendingIntent, answer: PendingIntent) {
            val person = avatar.toPerson(caller)
            builder.setStyle(Notification.CallStyle.forIncomingCall(person, decline, answer)).addPerson(person)
        }

        @NeedsApi(31)
        fun ongoingStyle(builder: Notification.Builder, avatar: Drawing, caller: CharSequence, hangUp: PendingIntent) {
            val person = avatar.toPerson(caller)
            builder.setStyle(Notification.CallStyle.forOngoingCall(person, hangUp)).addPerson(person)
        }
    }
}
