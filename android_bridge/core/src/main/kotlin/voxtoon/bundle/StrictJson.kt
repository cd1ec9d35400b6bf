package voxtoon.bundle

import java.nio.ByteBuffer
import java.nio.charset.CharacterCodingException
import voxtoon.CheckException

/**
 * Strict JSON to maps, lists, texts, truth values, null, [Long] for whole numbers and [Double] for others.
 *
 * Refused are: what is not UTF-8, a key twice in one object, a number that is not finite, a whole number of more than
 * 18 characters, anything after the value, and nesting beyond [DEPTH].
 */
internal class StrictJson private constructor(private val text: CharArray, private val where: String) {
    private var at = 0

    private fun document(): Any? {
        val value = value(0)
        skipSpace()
        if (at < text.size) fail("something after the end")
        return value
    }

    private fun value(depth: Int): Any? {
        if (depth > DEPTH) fail("nesting deeper than $DEPTH")
        skipSpace()
        if (at >= text.size) fail("an early end")
        return when (val first = text[at]) {
            '{' -> jsonObject(depth)
            '[' -> list(depth)
            '"' -> string()
            't' -> word("true", true)
            'f' -> word("false", false)
            'n' -> word("null", null)
            'N', 'I' -> refuseConstant()
            '-' -> if (startsWith("-I")) refuseConstant() else number()
            in '0'..'9' -> number()
            else -> fail("the character ${first.code}")
        }
    }

    private fun jsonObject(depth: Int): Map<String, Any?> {
        val found = LinkedHashMap<String, Any?>()
        at++
        if (next() == '}') return found.also { at++ }
        while (true) {
            if (next() != '"') fail("no name")
            val name = string()
            if (next() != ':') fail("no colon after a name")
            at++
            if (found.containsKey(name)) {
                throw CheckException(where, got = "the key '$name' twice in one object", expected = "each key once")
            }
            found[name] = value(depth + 1)
            when (next()) {
                ',' -> at++
                '}' -> return found.also { at++ }
                else -> fail("neither , nor } in an object")
            }
        }
    }

    private fun list(depth: Int): List<Any?> {
        val found = ArrayList<Any?>()
        at++
        if (next() == ']') return found.also { at++ }
        while (true) {
            found.add(value(depth + 1))
            when (next()) {
                ',' -> at++
                ']' -> return found.also { at++ }
                else -> fail("neither , nor ] in a list")
            }
        }
    }

    private fun string(): String {
        val start = ++at
        while (at < text.size && text[at] != '"' && text[at] != '\\' && text[at] >= ' ') at++
        if (at < text.size && text[at] == '"') return between(start, at++)
        val found = StringBuilder(between(start, at)) // there is an escape in it, or it is wrong
        while (true) {
            if (at >= text.size) fail("a text without end")
            when (val character = text[at++]) {
                '"' -> return found.toString()
                '\\' -> found.append(escaped())
                else -> if (character < ' ') fail("a control character in a text") else found.append(character)
            }
        }
    }

    private fun escaped(): Char {
        if (at >= text.size) fail("a text without end")
        val letter = text[at++]
        if (letter == 'u') {
            val digits = between(at, minOf(at + 4, text.size))
            if (digits.length < 4 || digits.any { it !in '0'..'9' && it !in 'a'..'f' && it !in 'A'..'F' }) fail("a wrong \\u")
            at += 4
            return digits.toInt(16).toChar()
        }
        val place = "\"\\/bfnrt".indexOf(letter)
        if (place < 0) fail("a wrong escape")
        return "\"\\/\b\u000c\n\r\t"[place]
    }

    private fun number(): Any {
        val start = at
        if (text[at] == '-') at++
        val first = at
        digits()
        if (text[first] == '0' && at > first + 1) fail("a number that begins with 0")
        val whole = at
        if (at < text.size && text[at] == '.') {
            at++
            digits()
        }
        if (at < text.size && (text[at] == 'e' || text[at] == 'E')) {
            at++
            if (at < text.size && (text[at] == '+' || text[at] == '-')) at++
            digits()
        }
        val written = between(start, at)
        if (at == whole) {
            if (written.length > LONGEST_WHOLE_NUMBER) {
                throw CheckException(where, got = "a number of ${written.length} digits", expected = "at most $LONGEST_WHOLE_NUMBER")
            }
            return written.toLong()
        }
        val value = written.toDouble()
        if (value.isInfinite()) throw CheckException(where, got = written, expected = "finite numbers only")
        return value
    }

    private fun digits() {
        val start = at
        while (at < text.size && text[at] in '0'..'9') at++
        if (at == start) fail("a number without digits")
    }

    private fun word(word: String, value: Any?): Any? {
        if (!startsWith(word)) fail("an unknown word")
        at += word.length
        return value
    }

    private fun next(): Char {
        skipSpace()
        return if (at < text.size) text[at] else fail("an early end")
    }

    private fun skipSpace() {
        while (at < text.size && (text[at] == ' ' || text[at] == '\n' || text[at] == '\r' || text[at] == '\t')) at++
    }

    private fun between(from: Int, until: Int) = String(text, from, until - from)

    private fun startsWith(word: String): Boolean = at + word.length <= text.size && word.indices.all { text[at + it] == word[it] }

    private fun refuseConstant(): Nothing {
        val constant = between(at, minOf(at + 9, text.size)).takeWhile { it.isLetter() || it == '-' }
        throw CheckException(where, got = constant, expected = "finite numbers only")
    }

    private fun fail(reason: String): Nothing =
        throw CheckException("$where is not JSON", got = "$reason at character $at", hint = "the file is damaged: export it again")

    companion object {
        private const val DEPTH = 64
        private const val LONGEST_WHOLE_NUMBER = 18

        /** The value of a text in UTF-8; [where] is what an error calls it. */
        fun parse(bytes: ByteArray, where: String): Any? {
            val text = try {
                Charsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString().toCharArray()
            } catch (error: CharacterCodingException) {
                throw CheckException("$where is not JSON", got = "bytes that are not UTF-8", cause = error)
            }
            return StrictJson(text, where).document()
        }
    }
}
