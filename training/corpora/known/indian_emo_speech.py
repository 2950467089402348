"""Indian EmoSpeech Command: single words on many people's own devices, noisy."""

from training.corpora.corpus import Corpus, Counts, Use

INDIAN_EMO_SPEECH = Corpus(
    folder="indian-emo-speech",
    title="Indian EmoSpeech Command Dataset",
    languages=("Hindi", "Indian English"),
    licence="CC BY-NC-SA 4.0",
    use=Use.NON_COMMERCIAL,
    notice=(
        "Contains what was learned from the Indian EmoSpeech Command Dataset, Creative "
        "Commons Attribution-NonCommercial-ShareAlike 4.0: not for commercial use."
    ),
    citation=(
        'Banga, Upadhyay, Agarwal, Sharma, Mukherjee, "Indian EmoSpeech Command '
        'Dataset", arXiv:1910.13801, 2019'
    ),
    # Their "calm" is unexcited; there is no neutral and no sad.
    counts=Counts(
        {"angry": 458, "calm": 751, "fear": 423, "happy": 389},
        n_unlisted=106,
        part_of="more, among it clips of unknown users and of noise alone",
    ),
)
