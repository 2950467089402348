"""EmoDB, the Berlin Database of Emotional Speech: German, ten actors, 535 clips."""

from training.corpora.corpus import Corpus, Counts, Use
from training.corpora.layout import Layout

MEN = {"03", "10", "11", "12", "15"}

EMODB = Corpus(
    folder="emodb",
    title="EmoDB",
    languages=("German",),
    licence="CC0-1.0",
    use=Use.ANY,
    citation=(
        "F. Burkhardt, A. Paeschke, M. Rolfes, W. F. Sendlmeier, B. Weiss, "
        '"A Database of German Emotional Speech", Interspeech 2005, '
        "doi:10.21437/Interspeech.2005-446"
    ),
    counts=Counts(
        {
            "angry": 127,
            "boredom": 81,
            "disgust": 46,
            "fear": 69,
            "happy": 71,
            "neutral": 79,
            "sad": 62,
        },
        {
            "03": 49,
            "08": 58,
            "09": 43,
            "10": 38,
            "11": 55,
            "12": 35,
            "13": 61,
            "14": 69,
            "15": 56,
            "16": 71,
        },
    ),
    # The last character is the version.
    layout=Layout(
        "wav/03a01Fa.wav",
        ("wav/*.wav", "*.wav"),
        r"/(?P<speaker>[^/]{2})(?P<sentence>[^/]{3})(?P<emotion>[A-Z])[^/]\.wav$",
        {
            "W": "angry",
            "L": "boredom",
            "E": "disgust",
            "A": "fear",
            "F": "happy",
            "T": "sad",
            "N": "neutral",
        },
        lambda speaker: "male" if speaker in MEN else "female",
        "German",
    ),
    paper="EMODB",
)
