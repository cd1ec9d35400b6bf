package voxtoon.android

import android.content.Context
import android.content.res.AssetManager
import android.os.Handler
import android.os.Looper
import android.system.ErrnoException
import android.system.Os
import java.io.FileNotFoundException
import java.io.IOException
import java.util.concurrent.Executor
import voxtoon.CallerAvatar
import voxtoon.InputException
import voxtoon.ModelSource
import voxtoon.Options
import voxtoon.bundle.BundleFiles
import voxtoon.engine.OnnxEngine

/** The way into this library on Android. */
public object Voxtoon {
    /** Where `voxtoon export --android` puts the bundle among an application's assets. */
    public const val ASSETS: String = "voxtoon"

    /** Runs listeners on the main thread. */
    @JvmField
    public val MAIN_THREAD: Executor = Handler(Looper.getMainLooper()).let { handler -> Executor { handler.post(it) } }

    /**
     * Loads a model; by default the bundle in the application's assets, with listeners called on the main thread.
     *
     * This reads megabytes: call it off the main thread. The engine's reports to its makers are switched off before it is
     * loaded; nothing of this library uses the network.
     *
     * @throws voxtoon.VoxtoonException when there is no bundle, or it is damaged.
     */
    @JvmStatic
    @JvmOverloads
    public fun load(
        context: Context,
        model: ModelSource = assets(context),
        options: Options = Options(callbacks = MAIN_THREAD),
    ): CallerAvatar {
        switchTelemetryOff()
        return CallerAvatar.load(model, options)
    }

    /** A bundle in a folder of the application's assets. */
    @JvmStatic
    @JvmOverloads
    public fun assets(context: Context, folder: String = ASSETS): ModelSource = ModelSource.files(AssetFiles(context.assets, folder))

    /** Before the engine is loaded, or it is too late. */
    private fun switchTelemetryOff() {
        try {
            Os.setenv(OnnxEngine.TELEMETRY_VARIABLE, "1", true)
        } catch (error: ErrnoException) {
            throw InputException("the engine's reports cannot be switched off", got = error.message, cause = error)
        }
    }
}

/** A bundle in a folder of assets, compressed or not. */
private class AssetFiles(private val assets: AssetManager, private val folder: String) : BundleFiles {
    override fun size(name: String): Long? = try {
        assets.open("$folder/$name").use { it.available().toLong() }
    } catch (error: FileNotFoundException) {
        null
    }

    override fun read(name: String, limit: Long): ByteArray = try {
        assets.open("$folder/$name").use { it.readBytes() }
    } catch (error: IOException) {
        throw InputException("asset $folder/$name cannot be read", got = error.message, cause = error)
    }

    override fun close() = Unit
}
