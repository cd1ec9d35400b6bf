package voxtoon.benchmark

import java.io.ByteArrayOutputStream
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.Base64
import java.util.zip.Deflater
import java.util.zip.DeflaterOutputStream
import kotlin.math.sqrt

/** Maps, lists, texts, numbers, truth values and null as JSON. */
internal fun json(value: Any?): String = when (value) {
    null -> "null"
    is String -> value.map { if (it < ' ' || it == '"' || it == '\\') "\\u%04x".format(it.code) else it.toString() }.joinToString("", "\"", "\"")
    is Map<*, *> -> value.entries.joinToString(", ", "{", "}") { (name, item) -> "${json(name.toString())}: ${json(item)}" }
    is List<*> -> value.joinToString(", ", "[", "]", transform = ::json)
    else -> value.toString()
}

/** Times as `docs/bench-record.schema.json` holds them: figures in seconds, and every sample in nanoseconds, compressed. */
internal fun latency(nanoseconds: LongArray): Map<String, Any?> =
    mapOf("summary_s" to summary(DoubleArray(nanoseconds.size) { nanoseconds[it] / 1e9 }), "samples" to samples(nanoseconds))

/** The whole way again and again: its first and its last minute, or halves where it is shorter. */
internal fun sustained(nanoseconds: LongArray): Map<String, Any?> {
    val seconds = DoubleArray(nanoseconds.size) { nanoseconds[it] / 1e9 }
    val total = seconds.sum()
    val windowS = minOf(WINDOW_S, total / 2)
    var ended = 0.0
    val ends = DoubleArray(seconds.size) { index -> seconds[index].also { ended += it }.let { ended } }
    val first = summary(seconds.copyOf(maxOf(1, ends.count { it < windowS })))
    val last = summary(seconds.copyOfRange(minOf(seconds.size - 1, ends.count { it < total - windowS }), seconds.size))
    return linkedMapOf(
        "seconds" to total, "window_s" to windowS, "first_s" to first, "last_s" to last,
        "slowdown" to last.getValue("p50") as Double / first.getValue("p50") as Double, "samples" to samples(nanoseconds),
    )
}

private fun summary(seconds: DoubleArray): Map<String, Any?> {
    val sorted = seconds.sortedArray()
    val mean = seconds.average()
    return linkedMapOf(
        "n" to seconds.size,
        "mean" to mean,
        "std" to sqrt(seconds.sumOf { (it - mean) * (it - mean) } / seconds.size),
        "p50" to percentile(sorted, 0.5),
        "p90" to percentile(sorted, 0.9),
        "p95" to percentile(sorted, 0.95),
        "p99" to if (seconds.size >= LEAST_FOR_P99) percentile(sorted, 0.99) else null,
        "max" to sorted.last(),
    )
}

/** Interpolated between neighbours. */
internal fun percentile(sorted: DoubleArray, share: Double): Double {
    val place = share * (sorted.size - 1)
    val below = place.toInt()
    val above = minOf(below + 1, sorted.size - 1)
    return sorted[below] + (sorted[above] - sorted[below]) * (place - below)
}

private fun samples(nanoseconds: LongArray): Map<String, Any?> {
    val bytes = ByteBuffer.allocate(Long.SIZE_BYTES * nanoseconds.size).order(ByteOrder.LITTLE_ENDIAN)
    nanoseconds.forEach(bytes::putLong)
    val packed = ByteArrayOutputStream()
    DeflaterOutputStream(packed, Deflater(Deflater.BEST_COMPRESSION)).use { it.write(bytes.array()) }
    return linkedMapOf(
        "n" to nanoseconds.size,
        "data" to Base64.getEncoder().encodeToString(packed.toByteArray()),
        "unit" to "ns",
        "encoding" to "zlib+base64, int64 little-endian",
    )
}

private const val LEAST_FOR_P99 = 100
private const val WINDOW_S = 60.0
