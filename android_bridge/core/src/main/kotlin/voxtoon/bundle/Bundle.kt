package voxtoon.bundle

import java.io.Closeable
import java.io.File
import java.io.IOException
import java.security.MessageDigest
import voxtoon.CheckException
import voxtoon.InputException

/** An open bundle: its manifest, and its files, each checked against it before it is used. */
public class Bundle private constructor(
    private val files: BundleFiles,
    /** The bytes of `manifest.json`; their hash tells bundles apart, since they hold the hashes of all else. */
    public val manifestBytes: ByteArray,
) : Closeable {
    /** What the bundle holds. */
    public val manifest: Manifest = readManifest(manifestBytes)

    /**
     * A file of the bundle, its size and hash checked. Several threads may ask at once.
     *
     * @throws InputException when the manifest lists no such file.
     * @throws CheckException when the file is missing, or is not what the manifest says.
     */
    public fun read(name: String): ByteArray {
        val entry = manifest.files[name]
            ?: throw InputException("the bundle lists no such file", got = shown(name), expected = manifest.files.keys.joinToString())
        val content = synchronized(files) { content(name, entry) } // whoever gives files need not think of threads
        checkEqual("$name has changed: its sha256", sha256(content), entry.sha256)
        return content
    }

    private fun content(name: String, entry: FileEntry): ByteArray {
        val size = files.size(name) ?: throw CheckException("$name is missing from the bundle", hint = DAMAGED)
        // Before the first byte is read: a file of another size may be one of any size.
        checkEqual("$name has another size", size, entry.bytes)
        return files.read(name, entry.bytes)
    }

    /** Checks size and hash of every file; throws as [read] does. */
    public fun verifyAll() {
        for (name in manifest.files.keys) read(name)
    }

    override fun close(): Unit = files.close()

    public companion object {
        private const val DIGITS = "0123456789abcdef"
        private const val MAXIMUM_MANIFEST_BYTES = 4L * 1024 * 1024

        /**
         * Opens a bundle, a folder or an uncompressed zip, and reads its manifest.
         *
         * @throws InputException when there is no bundle, or one of an unknown version.
         * @throws CheckException when the bundle is damaged.
         */
        @JvmStatic
        public fun open(path: File): Bundle = open(filesOf(path))

        /** Opens a bundle that is in memory, an uncompressed zip; throws as the other [open] does. */
        @JvmStatic
        public fun open(zip: ByteArray): Bundle = open(ZipFiles(MemoryBytes(zip), "the bundle"))

        /** Opens a bundle whose files are anywhere; throws as the other [open] does. */
        @JvmStatic
        public fun open(files: BundleFiles): Bundle = closingOnFailure(files) { Bundle(files, manifestBytes(files)) }

        private fun filesOf(path: File): BundleFiles = try {
            when {
                path.isDirectory -> FolderFiles(path)
                path.isFile -> FileBytes(path).let { closingOnFailure(it) { ZipFiles(it, path.name) } }
                else -> throw InputException("no such bundle", got = path, expected = "a folder or a *.voxtoon file")
            }
        } catch (error: IOException) {
            throw InputException("${path.name} cannot be read", got = error.message, cause = error)
        }

        private fun manifestBytes(files: BundleFiles): ByteArray {
            val size = files.size(MANIFEST_NAME)
                ?: throw InputException("not a bundle", got = "one without $MANIFEST_NAME", expected = "a folder or file with it")
            if (size > MAXIMUM_MANIFEST_BYTES) {
                throw CheckException("$MANIFEST_NAME is too large", got = "$size bytes", expected = "at most $MAXIMUM_MANIFEST_BYTES", hint = DAMAGED)
            }
            return files.read(MANIFEST_NAME, MAXIMUM_MANIFEST_BYTES)
        }

        private inline fun <T> closingOnFailure(opened: Closeable, make: () -> T): T = try {
            make()
        } catch (error: Throwable) {
            opened.close()
            throw error
        }

        private fun checkEqual(what: String, got: Any, expected: Any) {
            if (got != expected) throw CheckException(what, got = got, expected = expected, hint = DAMAGED)
        }

        private fun sha256(content: ByteArray): String =
            buildString { for (byte in MessageDigest.getInstance("SHA-256").digest(content)) append(DIGITS[byte.toInt() shr 4 and 0xF]).append(DIGITS[byte.toInt() and 0xF]) }
    }
}
