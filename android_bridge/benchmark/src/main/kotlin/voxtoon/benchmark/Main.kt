package voxtoon.benchmark

import java.io.File
import kotlin.system.exitProcess
import voxtoon.InputException
import voxtoon.VoxtoonException
import voxtoon.bundle.Bundle

/** What is done, and how often: as the options of `voxtoon bench`. */
internal class Protocol(val runs: Int, val coldRuns: Int, val sustainedS: Double) {
    val warmupRuns: Int get() = 10
}

/**
 * `voxtoon.benchmark.MainKt BUNDLE OUT.json [--runs N] [--cold-runs N] [--sustained-s S]`: measures this runtime as
 * `voxtoon bench` measures Python's, and writes the same record.
 */
fun main(arguments: Array<String>) {
    try {
        val options = options(arguments)
        val protocol = Protocol(
            runs = options("--runs", "100").toInt(),
            coldRuns = options("--cold-runs", "5").toInt(),
            sustainedS = options("--sustained-s", "0").toDouble(),
        )
        val file = File(arguments[0])
        val record = Bundle.open(file).use { Measurement(file, it, protocol).record() }
        File(arguments[1]).writeText(json(record) + "\n")
        println(summary(record))
    } catch (error: VoxtoonException) {
        System.err.println("voxtoon-benchmark: ${error.message}")
        exitProcess(if (error is InputException) 2 else 1)
    }
}

private fun options(arguments: Array<String>): (String, String) -> String {
    val given = arguments.drop(2).chunked(2)
    val known = setOf("--runs", "--cold-runs", "--sustained-s")
    if (arguments.size < 2 || given.any { it.size < 2 || it[0] !in known || it[1].toDoubleOrNull() == null }) {
        throw InputException("arguments", got = arguments.joinToString(" "), expected = "BUNDLE OUT.json [--runs N] [--cold-runs N] [--sustained-s S]")
    }
    return { name, default -> given.find { it[0] == name }?.get(1) ?: default }
}

/** What a person wants to see of a record at once. */
@Suppress("UNCHECKED_CAST")
private fun summary(record: Map<String, Any?>): String = buildString {
    fun line(what: String, latency: Map<String, Map<String, Any?>>) {
        appendLine("%-28s p50 %10.3f ms".format(what, 1000 * latency.getValue("summary_s").getValue("p50") as Double))
    }
    val coldStart = record["cold_start"] as Map<String, Map<String, Map<String, Any?>>>?
    for ((name, times) in coldStart.orEmpty()) line("new process: $name", times)
    for ((name, times) in record["latency"] as Map<String, Map<String, Map<String, Any?>>>) line(name, times)
    val missed = (record["accuracy"] as List<Map<String, Any?>>).filter { it["problem"] != null }
    append(missed.joinToString("\n") { "${it["part"]} ${it["output"]}: ${it["problem"]}" }.ifEmpty { "all outputs agree with the golden values" })
}
