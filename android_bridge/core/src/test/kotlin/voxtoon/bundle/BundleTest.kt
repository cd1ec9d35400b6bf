package voxtoon.bundle

import java.util.concurrent.Executors
import java.util.concurrent.Future
import java.util.concurrent.TimeUnit
import org.junit.Assert.assertEquals
import org.junit.Test
import voxtoon.defaultBundle

class BundleTest {
    @Test
    fun `files that many threads ask for at once are each what the manifest says`() {
        val threads = Executors.newFixedThreadPool(8)
        Bundle.open(defaultBundle).use { bundle ->
            val names = bundle.manifest.files.keys.toList()
            val read = List<Future<*>>(200) { threads.submit { assertEquals(bundle.manifest.files.getValue(names[it % names.size]).bytes, bundle.read(names[it % names.size]).size.toLong()) } }
            for (file in read) file.get(10, TimeUnit.MINUTES) // ends a test that hangs
        }
        threads.shutdown()
    }
}
