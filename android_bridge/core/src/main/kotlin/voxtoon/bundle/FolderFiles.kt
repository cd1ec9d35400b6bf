package voxtoon.bundle

import java.io.File
import java.io.IOException
import java.io.InputStream
import voxtoon.CheckException
import voxtoon.InputException

/** A bundle in a folder. */
internal class FolderFiles(folder: File) : BundleFiles {
    private val root = folder.canonicalFile

    override fun size(name: String): Long? = inside(name).let { if (it.isFile) it.length() else null }

    override fun read(name: String, limit: Long): ByteArray = try {
        inside(name).inputStream().use { it.readAtMost(limit) }
    } catch (error: IOException) {
        throw InputException("$name cannot be read", got = error.message, cause = error)
    }

    override fun close() = Unit

    private fun inside(name: String): File {
        checkFileName(name)
        val place = try {
            File(root, name).canonicalFile
        } catch (error: IOException) { // a loop of links, on some systems
            throw CheckException("$name cannot be reached", got = error.message, hint = DAMAGED, cause = error)
        }
        if (!place.path.startsWith(root.path + File.separator)) {
            throw CheckException("$name is a link that leads outside the bundle", hint = DAMAGED)
        }
        return place
    }
}

/** The rest of a stream, but no more than [limit] bytes. */
internal fun InputStream.readAtMost(limit: Long): ByteArray {
    val content = ByteArray(minOf(limit, Int.MAX_VALUE - 8L).toInt())
    var filled = 0
    while (filled < content.size) {
        val count = read(content, filled, content.size - filled)
        if (count < 0) return content.copyOf(filled)
        filled += count
    }
    return content
}
