"""RAVDESS, the speech in it: North American English, 24 actors, 1440 clips."""

from training.corpora.corpus import Corpus, Counts, Use
from training.corpora.layout import Layout

EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}

RAVDESS = Corpus(
    folder="ravdess",
    title="RAVDESS",
    languages=("English",),
    licence="CC BY-NC-SA 4.0",
    use=Use.NON_COMMERCIAL,
    notice=(
        "Contains what was learned from RAVDESS (Ryerson Audio-Visual Database of "
        "Emotional Speech and Song), Creative Commons Attribution-NonCommercial-"
        "ShareAlike 4.0: not for commercial use."
    ),
    citation=(
        'S. R. Livingstone, F. A. Russo, "The Ryerson Audio-Visual Database of '
        'Emotional Speech and Song (RAVDESS)", PLoS ONE 13(5): e0196391, 2018, '
        "doi:10.1371/journal.pone.0196391"
    ),
    counts=Counts(
        {e: 96 if e == "neutral" else 192 for e in EMOTIONS.values()},
        {f"Actor_{actor:02d}": 60 for actor in range(1, 25)},
        # Actor 07, happy, "Dogs": repetitions 1 and 2 hold the same samples.
        frozenset({frozenset({"03-01-03-01-02-01-07", "03-01-03-01-02-02-07"})}),
    ),
    # Modality, channel, emotion, intensity, statement, repetition, actor. 03-01 is
    # audio alone, and speech.
    layout=Layout(
        "Actor_12/03-01-06-01-02-01-12.wav",
        ("**/Actor_*/03-01-*.wav",),
        r"/03-01-(?P<emotion>\d+)-\w+-(?P<sentence>\w+)-\w+-(?P<speaker>\d+)\.wav$",
        EMOTIONS,
        lambda speaker: "male" if int(speaker) % 2 else "female",
        "English (North American)",
        speaker="Actor_{}",
    ),
    paper="RAVDESS",
)
