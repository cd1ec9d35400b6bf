package voxtoon

import java.util.concurrent.ExecutionException
import java.util.concurrent.FutureTask

/** Something that is done on a thread of its own from now on. */
internal class Meanwhile<T>(work: () -> T) {
    private val task = FutureTask(work)

    init {
        Thread(task, "voxtoon-load").apply { isDaemon = true }.start()
    }

    /** Waits for it: what it made, or throws what it threw. */
    fun get(): T = try {
        task.get()
    } catch (error: ExecutionException) {
        throw error.cause!!
    }
}
