package voxtoon.bundle

import java.io.Closeable
import java.io.File
import java.io.IOException
import java.io.RandomAccessFile
import java.nio.ByteBuffer
import java.nio.ByteOrder
import voxtoon.CheckException
import voxtoon.InputException

/** Bytes that can be read anywhere: a file, or memory. */
internal interface Bytes : Closeable {
    val length: Long

    /** Exactly [count] bytes from [offset] on, which the caller has checked to be there. */
    fun read(offset: Long, count: Int): ByteArray
}

internal class FileBytes(file: File) : Bytes {
    private val opened = RandomAccessFile(file, "r")
    override val length: Long = opened.length()

    override fun read(offset: Long, count: Int): ByteArray = try {
        opened.seek(offset)
        ByteArray(count).also(opened::readFully)
    } catch (error: IOException) {
        throw InputException("the bundle cannot be read", got = error.message, hint = "open it again", cause = error)
    }

    override fun close() = opened.close()
}

internal class MemoryBytes(private val content: ByteArray) : Bytes {
    override val length: Long get() = content.size.toLong()

    override fun read(offset: Long, count: Int): ByteArray = content.copyOfRange(offset.toInt(), offset.toInt() + count)

    override fun close() = Unit
}

/**
 * A bundle in one file: a zip whose entries are stored as they are.
 *
 * The directory is read by hand, because what it may hold and how it may lie is the bundle's rule and not a zip library's.
 */
internal class ZipFiles(private val bytes: Bytes, private val label: String) : BundleFiles {
    private class Entry(val name: String, val offset: Long, val size: Long)

    private val directoryOffset: Long
    private val entries: Map<String, Entry>

    init {
        if (bytes.length < LOCAL_HEADER_BYTES || int(0) != LOCAL_HEADER) {
            throw InputException("not a bundle", got = label, expected = "a folder or an uncompressed zip")
        }
        val (count, start, size) = endRecord()
        directoryOffset = start
        entries = checked(directory(start, size, count))
    }

    override fun size(name: String): Long? {
        checkFileName(name)
        return entries[name]?.size
    }

    override fun read(name: String, limit: Long): ByteArray {
        val entry = entries.getValue(name)
        val header = buffer(entry.offset, LOCAL_HEADER_BYTES)
        val nameLength = header.unsigned(26)
        val start = entry.offset + LOCAL_HEADER_BYTES + nameLength + header.unsigned(28)
        val sameName = nameLength == entry.name.length &&
            String(bytes.read(entry.offset + LOCAL_HEADER_BYTES, nameLength), Charsets.ISO_8859_1) == entry.name
        if (header.getInt(0) != LOCAL_HEADER || !sameName || start + entry.size > directoryOffset) {
            throw CheckException("$name is damaged", got = "another header before its bytes", hint = DAMAGED)
        }
        return bytes.read(start, minOf(entry.size, limit).toInt())
    }

    override fun close() = bytes.close()

    /** Number of entries, offset and size of the directory. */
    private fun endRecord(): Triple<Int, Long, Long> {
        val start = bytes.length - END_RECORD_BYTES
        if (int(start) != END_RECORD) throw damaged("no end record")
        val record = buffer(start, END_RECORD_BYTES)
        val zip64 = start >= ZIP64_LOCATOR_BYTES && int(start - ZIP64_LOCATOR_BYTES) == ZIP64_LOCATOR
        val (disk, firstDisk, here, count) = listOf(4, 6, 8, 10).map { record.unsigned(it) }
        if (zip64 || disk != 0 || firstDisk != 0 || record.unsigned(20) != 0 || here != count) {
            throw CheckException("$label is a zip64, split or commented zip", expected = "a plain zip", hint = DAMAGED)
        }
        val size = record.unsignedInt(12)
        val offset = record.unsignedInt(16)
        if (count > MAXIMUM_ENTRIES || size > MAXIMUM_DIRECTORY_BYTES) {
            throw CheckException("$label has too many files", got = count, expected = "at most $MAXIMUM_ENTRIES")
        }
        if (offset + size != start) throw damaged("a directory that is elsewhere")
        return Triple(count, offset, size)
    }

    private fun directory(offset: Long, size: Long, count: Int): List<Entry> {
        val records = buffer(offset, size.toInt())
        val found = ArrayList<Entry>()
        var at = 0
        while (at < records.limit()) {
            if (at + DIRECTORY_RECORD_BYTES > records.limit() || records.getInt(at) != DIRECTORY_RECORD) throw damaged("a broken directory")
            val nameLength = records.unsigned(at + 28)
            val end = at + DIRECTORY_RECORD_BYTES + nameLength + records.unsigned(at + 30) + records.unsigned(at + 32)
            if (end > records.limit()) throw damaged("a broken directory")
            val name = String(records.array(), at + DIRECTORY_RECORD_BYTES, nameLength, Charsets.ISO_8859_1)
            checkFileName(name.removeSuffix("/"))
            checkStored(name, records, at)
            found += Entry(name, records.unsignedInt(at + 42), records.unsignedInt(at + 24))
            at = end
        }
        if (found.size != count) throw damaged("${found.size} entries of $count")
        return found
    }

    private fun checkStored(name: String, records: ByteBuffer, at: Int) {
        val isFolder = name.endsWith("/")
        val kind = records.unsigned(at + 40) and FILE_KIND
        val problem = when {
            records.unsigned(at + 10) != 0 || records.getInt(at + 20) != records.getInt(at + 24) -> "compressed"
            records.unsigned(at + 8) and ENCRYPTED != 0 -> "encrypted"
            isFolder && records.getInt(at + 24) != 0 -> "a folder with content"
            kind != 0 && kind != (if (isFolder) KIND_FOLDER else KIND_FILE) -> "a link or a device"
            else -> return
        }
        throw CheckException("$name is $problem in the zip", expected = "a file stored as it is", hint = DAMAGED)
    }

    private fun checked(all: List<Entry>): Map<String, Entry> {
        val seen = HashSet<String>()
        var end = 0L
        for (entry in all.sortedBy { it.offset }) {
            if (!seen.add(entry.name.lowercase())) throw CheckException("the zip holds one file twice", got = entry.name, hint = DAMAGED)
            if (entry.offset < end) throw CheckException("the zip holds files that overlap", got = entry.name, hint = DAMAGED)
            end = entry.offset + LOCAL_HEADER_BYTES + entry.name.length + entry.size
            if (end > directoryOffset) throw CheckException("the zip holds a file longer than the zip", got = entry.name, hint = DAMAGED)
        }
        return all.filterNot { it.name.endsWith("/") }.associateBy { it.name }
    }

    private fun buffer(offset: Long, count: Int): ByteBuffer {
        if (offset < 0 || offset + count > bytes.length) throw damaged("an early end")
        return ByteBuffer.wrap(bytes.read(offset, count)).order(ByteOrder.LITTLE_ENDIAN)
    }

    private fun int(offset: Long): Int = buffer(offset, Int.SIZE_BYTES).getInt(0)

    private fun damaged(got: String) = CheckException("$label is a damaged zip", got = got, hint = DAMAGED)

    private fun ByteBuffer.unsigned(at: Int): Int = getShort(at).toInt() and 0xFFFF

    private fun ByteBuffer.unsignedInt(at: Int): Long = getInt(at).toLong() and 0xFFFF_FFFFL

    private companion object {
        const val LOCAL_HEADER = 0x04034b50
        const val LOCAL_HEADER_BYTES = 30
        const val DIRECTORY_RECORD = 0x02014b50
        const val DIRECTORY_RECORD_BYTES = 46
        const val END_RECORD = 0x06054b50
        const val END_RECORD_BYTES = 22
        const val ZIP64_LOCATOR = 0x07064b50
        const val ZIP64_LOCATOR_BYTES = 20
        const val MAXIMUM_ENTRIES = 1000
        const val MAXIMUM_DIRECTORY_BYTES = 1024 * 1024
        const val ENCRYPTED = 0x1
        const val FILE_KIND = 0xF000
        const val KIND_FILE = 0x8000
        const val KIND_FOLDER = 0x4000
    }
}
