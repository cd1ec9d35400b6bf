package voxtoon.android

/**
 * What this marks is called only on devices of that API level or a later one, as checked where it is called.
 *
 * The build compares everything else with API 24.
 */
@Retention(AnnotationRetention.BINARY)
@Target(AnnotationTarget.CLASS, AnnotationTarget.FUNCTION)
public annotation class NeedsApi(val level: Int)
