package voxtoon

/**
 * What this library throws on purpose. The message is one line: what, got, expected, what to do.
 *
 * There are two kinds, [InputException] and [CheckException], as in the Python runtime.
 */
public sealed class VoxtoonException(message: String, cause: Throwable?) : RuntimeException(message, cause)

/** Wrong use or bad input: another argument, another file or another order of calls would do. */
public class InputException @JvmOverloads constructor(
    what: String,
    got: Any? = null,
    expected: Any? = null,
    hint: String? = null,
    cause: Throwable? = null,
) : VoxtoonException(sentence(what, got, expected, hint), cause)

/** A check failed: a bundle is damaged, or the engine cannot compute what the bundle holds. */
public class CheckException @JvmOverloads constructor(
    what: String,
    got: Any? = null,
    expected: Any? = null,
    hint: String? = null,
    cause: Throwable? = null,
) : VoxtoonException(sentence(what, got, expected, hint), cause)

private fun sentence(what: String, got: Any?, expected: Any?, hint: String?): String = buildString {
    append(what)
    if (got != null) append(": got ").append(got)
    if (expected != null) append(if (got == null) ": expected " else ", expected ").append(expected)
    if (hint != null) append("; ").append(hint)
}
