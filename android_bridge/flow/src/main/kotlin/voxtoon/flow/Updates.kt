package voxtoon.flow

import kotlinx.coroutines.channels.awaitClose
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.buffer
import kotlinx.coroutines.flow.callbackFlow
import kotlinx.coroutines.channels.Channel
import voxtoon.AvatarUpdate
import voxtoon.Listener
import voxtoon.VoiceStream
import voxtoon.VoxtoonException

/**
 * The faces of a call as a flow, which ends with the call's last face and fails where the model fails.
 *
 * A slow collector sees the newest face and not all of them. Collecting sets the call's listener; when collecting ends,
 * the call has none.
 */
public fun VoiceStream.updates(): Flow<AvatarUpdate> = callbackFlow {
    setListener(object : Listener {
        override fun onUpdate(update: AvatarUpdate) {
            trySend(update)
            if (update.isFinal) close()
        }

        override fun onError(error: VoxtoonException) {
            close(error)
        }
    })
    awaitClose { setListener(null) }
}.buffer(Channel.CONFLATED)
