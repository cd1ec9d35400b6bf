package voxtoon.android

import android.Manifest
import android.content.ContentProviderOperation
import android.content.Context
import android.content.OperationApplicationException
import android.content.pm.PackageManager
import android.graphics.Bitmap
import android.os.RemoteException
import android.provider.ContactsContract
import java.io.ByteArrayOutputStream
import voxtoon.CheckException
import voxtoon.InputException
import voxtoon.avatar.Drawing

/**
 * That the user has agreed, for this contact and now, to have its photo replaced by a cartoon.
 *
 * There is no other way to make one than [givenFor], so that no photo is written by the way.
 */
public class Consent private constructor(internal val rawContactId: Long) {
    public companion object {
        /** To be called where the user has just said yes to a question that names the contact. */
        @JvmStatic
        public fun givenFor(rawContactId: Long): Consent = Consent(rawContactId)
    }
}

/**
 * Makes the avatar a contact's photo: the only way in which the system's own dialer shows it, at the next call.
 *
 * The application declares and asks for `WRITE_CONTACTS`; this library does not.
 */
public object ContactPhoto {
    private const val SIZE_PX = 720

    /**
     * Replaces the photo.
     *
     * @throws InputException when the application has no right to write contacts.
     * @throws CheckException when the contacts refuse it.
     */
    @JvmStatic
    public fun write(context: Context, avatar: Drawing, consent: Consent) {
        if (context.checkSelfPermission(Manifest.permission.WRITE_CONTACTS) != PackageManager.PERMISSION_GRANTED) {
            throw InputException("contact photo", got = "no permission", expected = "WRITE_CONTACTS", hint = "declare it and ask the user for it")
        }
        val png = ByteArrayOutputStream().also { avatar.toBitmap(SIZE_PX).compress(Bitmap.CompressFormat.PNG, 100, it) }.toByteArray()
        try {
            context.contentResolver.applyBatch(ContactsContract.AUTHORITY, arrayListOf(removed(consent.rawContactId), added(consent.rawContactId, png)))
        } catch (error: RemoteException) {
            throw refused(error)
        } catch (error: OperationApplicationException) {
            throw refused(error)
        }
    }

    private fun removed(rawContactId: Long): ContentProviderOperation =
        ContentProviderOperation.newDelete(ContactsContract.Data.CONTENT_URI)
            .withSelection(
                "${ContactsContract.Data.RAW_CONTACT_ID} = ? AND ${ContactsContract.Data.MIMETYPE} = ?",
                arrayOf(rawContactId.toString(), ContactsContract.CommonDataKinds.Photo.CONTENT_ITEM_TYPE),
            ).build()

    private fun added(rawContactId: Long, png: ByteArray): ContentProviderOperation =
        ContentProviderOperation.newInsert(ContactsContract.Data.CONTENT_URI)
            .withValue(ContactsContract.Data.RAW_CONTACT_ID, rawContactId)
            .withValue(ContactsContract.Data.MIMETYPE, ContactsContract.CommonDataKinds.Photo.CONTENT_ITEM_TYPE)
            .withValue(ContactsContract.CommonDataKinds.Photo.PHOTO, png)
            .build()

    private fun refused(error: Exception) = CheckException("contact photo", got = error.message, hint = "the contact may be read-only", cause = error)
}
