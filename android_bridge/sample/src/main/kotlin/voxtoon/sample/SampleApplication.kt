package voxtoon.sample

import android.app.Application
import android.app.NotificationChannel
import android.app.NotificationManager
import android.os.Build
import java.util.concurrent.Callable
import java.util.concurrent.Executors
import java.util.concurrent.Future
import voxtoon.CallerAvatar
import voxtoon.Options
import voxtoon.android.NeedsApi
import voxtoon.android.Voxtoon
import voxtoon.avatar.Drawing
import voxtoon.avatar.Hair
import voxtoon.avatar.Style

/** Loads the model once, in the background, for all screens. */
class SampleApplication : Application() {
    private val background = Executors.newSingleThreadExecutor()

    /** The loaded model; waiting for it is not for the main thread. */
    lateinit var avatars: Future<CallerAvatar>
        private set

    /** Whether the user has agreed that callers are heard and drawn. */
    val drawsCallers: Boolean get() = settings().getBoolean(SettingsActivity.DRAW_CALLERS, false)

    /** What was drawn last, to be made a contact's photo; kept in memory alone. */
    @Volatile
    var lastAvatar: Drawing? = null

    override fun onCreate() {
        super.onCreate()
        avatars = background.submit(Callable { Voxtoon.load(this, options = Options(style = style(), callbacks = Voxtoon.MAIN_THREAD)) })
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.O) makeChannel()
    }

    /** Runs something that may wait. */
    fun inBackground(action: () -> Unit) {
        background.execute(action)
    }

    private fun style(): Style {
        val isNeutral = settings().getBoolean(SettingsActivity.NEUTRAL_HAIR, false)
        return Style(hair = if (isNeutral) Hair.NEUTRAL else Hair.RECONSTRUCTED)
    }

    private fun settings() = getSharedPreferences(SettingsActivity.SETTINGS, MODE_PRIVATE)

    @NeedsApi(26)
    private fun makeChannel() {
        val channel = NotificationChannel(CALLS, getString(R.string.calls), NotificationManager.IMPORTANCE_HIGH)
        getSystemService(NotificationManager::class.java)?.createNotificationChannel(channel)
    }

    companion object {
        const val CALLS = "calls"
    }
}
