"""Does adaptation help people never heard, and can it be made to harm?

A network trained on one corpus hears half the speakers of another, unlabelled, through
the daemon with `--adapt`; the other half is scored. And the packaged model hears an
hour of what it should learn nothing from.
"""
