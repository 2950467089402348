"""`adapt-eval`: whether adaptation helps new speakers, and whether it can do harm.

Gains: a network trained on one corpus adapts, in the daemon with `--adapt`, to half the
speakers of another, unlabelled; the other half is scored. Attacks: the packaged model
gets an hour of what it should learn nothing from.

run, settings                     all of it, resumable; what was asked for, where it is
source_bundle                     the network that adaptation begins from
conversation                      clips -> one recording of speakers in turns
run_daemon                        that recording through the real daemon
gains, offline_baselines          gains, beside offline CAAM and AdaBN
attacks                           music_attack, confident_errors: what is played
collapse, collapsing_child        a collapse on purpose
live                              latency and steps while rounds run
score                             UAR of a version
summary, page, plots              figures, `docs/adaptation.md`, pictures
"""
