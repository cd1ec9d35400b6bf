package voxtoon.bundle

import voxtoon.CheckException

/**
 * A value of parsed JSON that knows where it is, and turns into what is wanted of it or a [CheckException].
 *
 * Its place is put into words only where an error tells it: a manifest has thousands of numbers.
 */
internal class Node private constructor(private val value: Any?, private val parent: Node?, private val place: Place, private val name: String, private val index: Int) {
    private enum class Place { TOP, FIELD, LIST, MAP, NAME }

    /** The top of a document that is called [name]. */
    constructor(value: Any?, name: String) : this(value, null, Place.TOP, name, 0)

    private val where: String
        get() = when (place) {
            Place.TOP -> name
            Place.FIELD -> "${parent!!.where}.$name"
            Place.LIST -> "${parent!!.where}[$index]"
            Place.MAP -> "${parent!!.where}[${shown(name)}]"
            Place.NAME -> "${parent!!.where} (a name)"
        }

    val isNull: Boolean get() = value == null
    val isText: Boolean get() = value is String
    val isTrue: Boolean get() = value == true

    fun names(): Set<String> = map().keys

    /** A field that must be there. */
    fun field(name: String): Node {
        val map = map()
        if (name !in map) throw CheckException("$where.$name is missing", hint = "the bundle is damaged or not finished: export it again")
        return Node(map[name], this, Place.FIELD, name, 0)
    }

    /** A field that may be absent. */
    fun optional(name: String): Node? = if (name in map()) field(name) else null

    /** A field that may be absent, or null. */
    inline fun <T> nullable(name: String, read: (Node) -> T): T? = optional(name)?.takeUnless { it.isNull }?.let { read(it) }

    fun text(): String = value as? String ?: refuse(expected = "text")

    fun name(): String = text().also {
        if (it.length !in 1..LONGEST_NAME || it[0] in "_.-" || !it.all(::isOfName)) refuse(expected = "a name of a-z, 0-9, '_', '.' and '-'")
    }

    fun fileName(): String = text().also {
        if (!isFileName(it)) refuse(expected = "a path inside the bundle: A-Z a-z 0-9 _ . - between single /, no piece starting with . or -")
    }

    fun sha256(): String = text().also {
        if (it.length != SHA256_DIGITS || !it.all(::isHexadecimal)) refuse(expected = "$SHA256_DIGITS lower-case hexadecimal digits")
    }

    fun oneOf(choices: List<String>): String = text().also { if (it !in choices) refuse(expected = choices.joinToString(" or ")) }

    fun long(minimum: Long = Long.MIN_VALUE): Long {
        val whole = value as? Long ?: refuse(expected = "a whole number")
        if (whole < minimum) refuse(expected = "at least $minimum")
        return whole
    }

    fun int(minimum: Long = Int.MIN_VALUE.toLong()): Int {
        val whole = long(minimum)
        if (whole !in Int.MIN_VALUE..Int.MAX_VALUE) refuse(expected = "a smaller number")
        return whole.toInt()
    }

    fun number(minimum: Double = Double.NEGATIVE_INFINITY): Double {
        val found = when (value) {
            is Double -> value
            is Long -> value.toDouble()
            else -> refuse(expected = "a finite number")
        }
        if (found < minimum) refuse(expected = "at least $minimum")
        return found
    }

    fun list(count: IntRange = 0..MOST_ITEMS): List<Node> {
        val items = value as? List<*> ?: refuse(expected = "a list")
        if (items.size !in count) refuse(expected = "${count.toSet().let { if (it.size == 1) it.first() else "${count.first} to ${count.last}" }} items")
        return items.mapIndexed(::item)
    }

    fun numbers(): DoubleArray {
        val items = value as? List<*> ?: refuse(expected = "a list")
        return DoubleArray(items.size) { items[it] as? Double ?: item(it, items[it]).number() }
    }

    /** The items of an object by name; each name is checked by [readName]. */
    inline fun <T> items(count: IntRange = 0..MOST_ITEMS, readName: (Node) -> String = Node::text, read: (Node) -> T): Map<String, T> =
        names(count).associate { name -> readName(nameOf(name)) to read(item(name)) }

    /** The names in an object of so many items. */
    fun names(count: IntRange): Set<String> = names().also { if (it.size !in count) refuse(expected = "${count.first} to ${count.last} items") }

    /** A name in an object, to be read like a value. */
    fun nameOf(name: String) = Node(name, this, Place.NAME, name, 0)

    /** An item of an object. */
    fun item(name: String) = Node(map()[name], this, Place.MAP, name, 0)

    fun refuse(got: String = describe(), expected: String): Nothing =
        throw CheckException(where, got = got, expected = expected, hint = "export the bundle again")

    private fun item(index: Int, item: Any?) = Node(item, this, Place.LIST, "", index)

    @Suppress("UNCHECKED_CAST") // StrictJson makes no other maps
    private fun map(): Map<String, Any?> = value as? Map<String, Any?> ?: refuse(expected = "an object")

    private fun describe(): String = when (value) {
        is Map<*, *> -> "an object of ${value.size}"
        is List<*> -> "a list of ${value.size}"
        is String -> shown(value)
        else -> value.toString()
    }

    companion object {
        const val MOST_ITEMS = 1 shl 20
        private const val LONGEST_NAME = 64
        private const val SHA256_DIGITS = 64

        private fun isOfName(c: Char): Boolean = c in 'a'..'z' || c in '0'..'9' || c == '_' || c == '.' || c == '-'

        private fun isHexadecimal(c: Char): Boolean = c in '0'..'9' || c in 'a'..'f'
    }
}
