"""Picovoice's wake words: read by over 50 people, none named, none of them acting."""

from training.corpora.corpus import Corpus, Counts, Use

PICOVOICE_NEUTRAL = Corpus(
    folder="picovoice-neutral",
    title="Picovoice wake-word recordings",
    languages=("English",),
    licence="Apache-2.0",
    use=Use.ANY,
    notice=(
        "Contains what was learned from recordings of Picovoice's wake-word-benchmark, "
        "licensed under the Apache License, Version 2.0."
    ),
    citation="Picovoice, wake-word-benchmark, github.com/Picovoice/wake-word-benchmark",
    counts=Counts({"neutral": 900}, part_of="2294 clips"),
    acted=False,
    unnamed=frozenset({"PVWW_unknown"}),
)
