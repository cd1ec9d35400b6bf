package voxtoon.benchmark

import ai.onnxruntime.OrtEnvironment
import java.io.File
import java.nio.file.Files
import java.util.zip.ZipFile
import voxtoon.CheckException

/**
 * The engine's native library, unpacked: on a desktop it lies in a jar and is unpacked whenever a process starts, on a
 * phone the system has done so when the application was installed.
 *
 * @property unpackedNs what unpacking it took.
 */
internal class NativeLibrary private constructor(private val folder: File, val unpackedNs: Long) : AutoCloseable {
    /** Makes a Java machine load the library from here. */
    val option: String get() = "-Donnxruntime.native.path=${folder.path}"

    override fun close() {
        folder.deleteRecursively()
    }

    companion object {
        /** Unpacks it; throws [CheckException] where the jar has none for this machine. */
        fun unpack(): NativeLibrary {
            val started = System.nanoTime()
            val folder = Files.createTempDirectory("voxtoon-engine").toFile()
            ZipFile(File(OrtEnvironment::class.java.protectionDomain.codeSource.location.toURI())).use { jar ->
                val files = jar.entries().asSequence().filter { !it.isDirectory && it.name.substringBeforeLast('/') == RESOURCES }.toList()
                if (files.isEmpty()) throw CheckException("the engine's native library", got = "none in ${jar.name}", expected = RESOURCES)
                for (file in files) jar.getInputStream(file).use { Files.copy(it, File(folder, file.name.substringAfterLast('/')).toPath()) }
            }
            return NativeLibrary(folder, System.nanoTime() - started)
        }

        private val RESOURCES = "ai/onnxruntime/native/${system()}-${processor()}"

        private fun system() = System.getProperty("os.name").lowercase().let { if ("mac" in it) "osx" else if ("win" in it) "win" else "linux" }

        private fun processor() = System.getProperty("os.arch").let { if (it == "amd64" || it == "x86_64") "x64" else it }
    }
}
