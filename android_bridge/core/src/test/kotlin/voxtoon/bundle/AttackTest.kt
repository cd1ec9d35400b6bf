package voxtoon.bundle

import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.junit.runners.Parameterized
import voxtoon.CheckException
import voxtoon.InputException
import voxtoon.attacks

/** Every bundle that a reader must refuse is refused with the right kind of error, and every good one is taken. */
@RunWith(Parameterized::class)
class AttackTest(private val attack: String) {
    private val folder = File(attacks, attack)
    private val bundle = folder.listFiles()!!.first { it.name.startsWith("bundle") }
    private val expected = File(folder, "expected.txt").readText().substringBefore(':').trim()

    @Test
    fun `the reader takes it or refuses it as docs bundle md says`() {
        assertEquals(expected, outcome { Bundle.open(bundle).use { it.verifyAll() } })
    }

    @Test
    fun `a zip in memory is read as the same zip in a file`() {
        if (bundle.isFile) assertEquals(expected, outcome { Bundle.open(bundle.readBytes()).use { it.verifyAll() } })
    }

    private fun outcome(open: () -> Unit): String = try {
        open()
        "good"
    } catch (error: CheckException) {
        assertTrue(error.message, error.message!!.isNotEmpty() && '\n' !in error.message!!)
        "check"
    } catch (error: InputException) {
        assertTrue(error.message, error.message!!.isNotEmpty() && '\n' !in error.message!!)
        "input"
    }

    companion object {
        @JvmStatic
        @Parameterized.Parameters(name = "{0}")
        fun all(): List<String> = attacks.list()!!.sorted().also { assertTrue("attacks in $attacks", it.size > 100) }
    }
}
