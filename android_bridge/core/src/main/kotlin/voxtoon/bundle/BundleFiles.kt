package voxtoon.bundle

import java.io.Closeable
import voxtoon.CheckException

internal const val MANIFEST_NAME = "manifest.json"
internal const val DAMAGED = "the bundle is damaged: export or download it again"
private const val LONGEST_NAME = 200

/**
 * The files of a bundle by name, wherever they are; a name is a path inside the bundle, with `/` between folders.
 *
 * Nothing here trusts what it opens: a bundle may come from anywhere.
 */
public interface BundleFiles : Closeable {
    /** Bytes of the file, null where there is none. */
    public fun size(name: String): Long?

    /** The bytes of a file that is there: at most [limit] of them. */
    public fun read(name: String, limit: Long): ByteArray
}

/** Whether [name] is a path that stays inside a bundle on every system: no drive, no backslash, no `..`, nothing hidden. */
internal fun isFileName(name: String): Boolean =
    name.length in 1..LONGEST_NAME && name.split('/').all { piece ->
        piece.isNotEmpty() && piece[0] != '.' && piece[0] != '-' && piece.all(::isNameCharacter)
    }

private fun isNameCharacter(c: Char): Boolean =
    c in 'a'..'z' || c in 'A'..'Z' || c in '0'..'9' || c == '_' || c == '.' || c == '-'

/** Refuses a name that [isFileName] does not take. */
public fun checkFileName(name: String) {
    if (!isFileName(name)) {
        throw CheckException("path that may lead outside the bundle", got = shown(name), expected = "plain names between /")
    }
}

/** A text from anyone, made safe for a line of a log. */
internal fun shown(text: String): String =
    text.take(80).map { if (it in ' '..'~') it.toString() else "\\u%04x".format(it.code) }.joinToString("", "'", "'")
