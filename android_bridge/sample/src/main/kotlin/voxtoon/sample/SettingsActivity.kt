package voxtoon.sample

import android.Manifest
import android.app.Activity
import android.app.AlertDialog
import android.content.Intent
import android.content.pm.PackageManager
import android.os.Build
import android.os.Bundle
import android.provider.ContactsContract.Contacts
import android.widget.Button
import android.widget.CheckBox
import android.widget.LinearLayout
import android.widget.TextView
import voxtoon.VoxtoonException
import voxtoon.android.Consent
import voxtoon.android.ContactPhoto
import voxtoon.avatar.Drawing

/**
 * What the user decides: whether callers are drawn at all, whether hair follows the voice, and, asked each time, whether a
 * contact's photo is replaced.
 */
class SettingsActivity : Activity() {
    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.TIRAMISU) requestPermissions(arrayOf(Manifest.permission.POST_NOTIFICATIONS), 0)
        setContentView(
            LinearLayout(this).apply {
                orientation = LinearLayout.VERTICAL
                addView(TextView(context).apply { setText(R.string.cartoon) })
                addView(choice(R.string.draw_callers, DRAW_CALLERS))
                addView(choice(R.string.neutral_hair, NEUTRAL_HAIR))
                addView(photoButton())
            },
        )
    }

    private fun choice(label: Int, key: String): CheckBox {
        val settings = getSharedPreferences(SETTINGS, MODE_PRIVATE)
        return CheckBox(this).apply {
            setText(label)
            isChecked = settings.getBoolean(key, false)
            setOnCheckedChangeListener { _, isChecked -> settings.edit().putBoolean(key, isChecked).apply() }
        }
    }

    private fun photoButton() = Button(this).apply {
        setText(R.string.use_as_photo)
        isEnabled = (application as SampleApplication).lastAvatar != null
        setOnClickListener { pickContact() }
    }

    /** Only the contact that the user picks is read, which needs no permission. */
    private fun pickContact() {
        if (checkSelfPermission(Manifest.permission.WRITE_CONTACTS) != PackageManager.PERMISSION_GRANTED) {
            return requestPermissions(arrayOf(Manifest.permission.WRITE_CONTACTS), 0)
        }
        startActivityForResult(Intent(Intent.ACTION_PICK, Contacts.CONTENT_URI), 0)
    }

    override fun onActivityResult(requestCode: Int, resultCode: Int, data: Intent?) {
        val contact = data?.data ?: return
        val avatar = (application as SampleApplication).lastAvatar ?: return
        contentResolver.query(contact, arrayOf(Contacts.DISPLAY_NAME_PRIMARY, Contacts.NAME_RAW_CONTACT_ID), null, null, null)?.use { found ->
            if (found.moveToFirst()) offerAsPhoto(found.getString(0).orEmpty(), found.getLong(1), avatar)
        }
    }

    /** Asks, naming the contact, and writes only after a yes. */
    private fun offerAsPhoto(contact: String, rawContactId: Long, avatar: Drawing) {
        AlertDialog.Builder(this)
            .setMessage(getString(R.string.consent_question, contact))
            .setPositiveButton(R.string.agree) { _, _ -> write(rawContactId, avatar) }
            .setNegativeButton(android.R.string.cancel, null)
            .show()
    }

    private fun write(rawContactId: Long, avatar: Drawing) {
        try {
            ContactPhoto.write(this, avatar, Consent.givenFor(rawContactId))
        } catch (error: VoxtoonException) {
            AlertDialog.Builder(this).setMessage(error.message).show()
        }
    }

    companion object {
        const val SETTINGS = "avatar"
        const val DRAW_CALLERS = "draw_callers"
        const val NEUTRAL_HAIR = "neutral_hair"
    }
}
