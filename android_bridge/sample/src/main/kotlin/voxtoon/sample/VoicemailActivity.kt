package voxtoon.sample

import android.app.Activity
import android.content.Intent
import android.net.Uri
import android.os.Bundle
import android.widget.Toast
import voxtoon.VoxtoonException
import voxtoon.android.Voicemail

/** In the share sheet of sound files: the avatar of a voicemail. */
class VoicemailActivity : Activity() {
    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        val view = AvatarView(this)
        setContentView(view)
        @Suppress("DEPRECATION") // the form with a class came with API 33
        val shared: Uri = intent.getParcelableExtra(Intent.EXTRA_STREAM) ?: return finish()
        val application = application as SampleApplication
        application.inBackground {
            try {
                val update = Voicemail.hear(this, shared, application.avatars.get())
                application.lastAvatar = update?.drawing
                runOnUiThread { if (update == null) say(getString(R.string.no_voice)) else view.show(update) }
            } catch (error: VoxtoonException) {
                runOnUiThread { say(error.message.orEmpty()) }
            }
        }
    }

    private fun say(text: String) {
        Toast.makeText(this, text, Toast.LENGTH_LONG).show()
        finish()
    }
}
