package voxtoon.sample

import android.app.Activity
import android.app.AlertDialog
import android.os.Bundle
import android.widget.CheckBox
import android.widget.LinearLayout
import android.widget.TextView
import voxtoon.android.Consent
import voxtoon.android.ContactPhoto
import voxtoon.avatar.Drawing

/** What the user decides: whether hair follows the voice, and, asked each time, whether a contact's photo is replaced. */
class SettingsActivity : Activity() {
    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        val settings = getSharedPreferences(SETTINGS, MODE_PRIVATE)
        val neutralHair = CheckBox(this).apply {
            setText(R.string.neutral_hair)
            isChecked = settings.getBoolean(NEUTRAL_HAIR, false)
            setOnCheckedChangeListener { _, isChecked -> settings.edit().putBoolean(NEUTRAL_HAIR, isChecked).apply() }
        }
        setContentView(
            LinearLayout(this).apply {
                orientation = LinearLayout.VERTICAL
                addView(TextView(context).apply { setText(R.string.cartoon) })
                addView(neutralHair)
            },
        )
    }

    /** Asks, naming the contact, and writes only after a yes. */
    fun offerAsPhoto(contact: String, rawContactId: Long, avatar: Drawing) {
        AlertDialog.Builder(this)
            .setMessage(getString(R.string.consent_question, contact))
            .setPositiveButton(R.string.agree) { _, _ -> ContactPhoto.write(this, avatar, Consent.givenFor(rawContactId)) }
            .setNegativeButton(android.R.string.cancel, null)
            .show()
    }

    companion object {
        const val SETTINGS = "avatar"
        const val NEUTRAL_HAIR = "neutral_hair"
    }
}
