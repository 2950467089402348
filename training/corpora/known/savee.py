"""SAVEE, Surrey Audio-Visual Expressed Emotion: English, four men, 480 clips."""

from training.corpora.corpus import Corpus, Counts, Use
from training.corpora.layout import Layout

SAVEE = Corpus(
    folder="savee",
    title="SAVEE",
    languages=("English",),
    licence="research, by registration",
    use=Use.UNKNOWN,
    citation=(
        'S. Haq, P. J. B. Jackson, "Multimodal Emotion Recognition", in W. Wang (ed.), '
        "Machine Audition: Principles, Algorithms and Systems, IGI Global, 2010"
    ),
    counts=Counts(
        {
            "angry": 60,
            "disgust": 60,
            "fear": 60,
            "happy": 60,
            "neutral": 120,
            "sad": 60,
            "surprise": 60,
        },
        dict.fromkeys(("DC", "JE", "JK", "KL"), 120),
    ),
    # The same number under another emotion is in general another text, so the sentence
    # is both.
    layout=Layout(
        "DC/a01.wav or DC_a01.wav",
        ("**/*.wav",),
        r"/(?P<speaker>DC|JE|JK|KL)[/_](?P<sentence>(?P<emotion>sa|su|[a-z])\d+)\.wav$",
        {
            "a": "angry",
            "d": "disgust",
            "f": "fear",
            "h": "happy",
            "n": "neutral",
            "sa": "sad",
            "su": "surprise",
        },
        lambda _: "male",
        "English (British)",
        clip="{speaker}_{sentence}",
    ),
    paper="SAVEE",
)
