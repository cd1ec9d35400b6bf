package voxtoon

import java.io.File

/** What `make android` has the Python side write before the tests run, and the default bundle. */
val attacks: File = given("voxtoon.attacks")
val vectors: File = given("voxtoon.vectors")
val defaultBundle: File = given("voxtoon.bundle")

private fun given(property: String) = File(System.getProperty(property)).also {
    check(it.exists()) { "$it is not there: run `make android`, which writes it, instead of mvn alone" }
}
