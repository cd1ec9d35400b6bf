package voxtoon.sample

/** Where there is an SDK its tools make this class of `res/`; here it is written by hand, so that the sample compiles. */
object R {
    object string {
        const val calls = 0x7f010000
        const val cartoon = 0x7f010001
        const val listening = 0x7f010002
        const val draft = 0x7f010003
        const val settled = 0x7f010004
        const val no_voice = 0x7f010005
        const val consent_question = 0x7f010006
        const val agree = 0x7f010007
        const val neutral_hair = 0x7f010008
    }
}
