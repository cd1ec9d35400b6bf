package voxtoon.benchmark

import ai.onnxruntime.OrtEnvironment
import java.io.File

/** What it runs on, as `voxtoon bench` describes a device. */
internal fun device(): Map<String, Any?> {
    val cpuinfo = text("/proc/cpuinfo").orEmpty()
    fun value(name: String) = Regex("^$name\\s*: *(.*)$", RegexOption.MULTILINE).find(cpuinfo)?.groupValues?.get(1)
    return linkedMapOf(
        "model" to text("/proc/device-tree/model"), "soc" to null,
        "kernel" to "${System.getProperty("os.name")} ${System.getProperty("os.version")}",
        "os" to Regex("PRETTY_NAME=\"(.*)\"").find(text("/etc/os-release").orEmpty())?.groupValues?.get(1),
        "processor" to linkedMapOf(
            "architecture" to System.getProperty("os.arch"), "model" to value("model name"), "parts" to emptyList<String>(),
            "features" to (value("flags") ?: value("Features")).orEmpty().split(' ').filter { it.isNotEmpty() },
            "cores" to Runtime.getRuntime().availableProcessors(),
        ),
        "memory_bytes" to kilobytes("/proc/meminfo", "MemTotal"),
        "governor" to text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "emulated" to File("/etc/voxtoon-emulated").exists(),
    )
}

/** Versions of what takes part. */
internal fun software(): Map<String, Any?> = linkedMapOf(
    "python" to "none: Java ${System.getProperty("java.version")}",
    "packages" to linkedMapOf("voxtoon" to "0.1.0", "onnxruntime" to OrtEnvironment.getEnvironment().version),
)

/** Of this process. */
internal fun memory(): Map<String, Long?> =
    linkedMapOf("peak_rss_bytes" to kilobytes("/proc/self/status", "VmHWM"), "pss_bytes" to kilobytes("/proc/self/smaps_rollup", "Pss"))

private fun kilobytes(path: String, name: String): Long? =
    Regex("^$name: *\\s*(\\d+) kB", RegexOption.MULTILINE).find(text(path).orEmpty())?.groupValues?.get(1)?.toLong()?.times(1024)

private fun text(path: String): String? = File(path).takeIf { it.canRead() }?.readText()?.trim('\u0000', ' ', '\n')?.ifEmpty { null }
