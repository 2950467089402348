"""CREMA-D: English, actors; the part in use has 63 of 91, hardly but happy and sad."""

from training.corpora.corpus import Corpus, Counts, Use
from training.corpora.layout import Layout

# fmt: off
WOMEN = {
    1002, 1003, 1004, 1006, 1007, 1008, 1009, 1010, 1012, 1013, 1018, 1020, 1021, 1024,
    1025, 1028, 1029, 1030, 1037, 1043, 1046, 1047, 1049, 1052, 1053, 1054, 1055, 1056,
    1058, 1060, 1061, 1063, 1072, 1073, 1074, 1075, 1076, 1078, 1079, 1082, 1084, 1089,
    1091,
}
# fmt: on
"""As the makers' VideoDemographics.csv has it; the other 48 are men."""

CREMA_D = Corpus(
    folder="crema-d",
    title="CREMA-D",
    languages=("English",),
    licence="ODbL-1.0",
    use=Use.ANY,
    notice=(
        "Contains information from CREMA-D (Crowd-sourced Emotional Multimodal "
        "Actors Dataset), made available under the Open Database License."
    ),
    citation=(
        "H. Cao, D. G. Cooper, M. K. Keutmann, R. C. Gur, A. Nenkova, R. Verma, "
        '"CREMA-D: Crowd-sourced Emotional Multimodal Actors Dataset", IEEE '
        "Transactions on Affective Computing 5(4), 2014, "
        "doi:10.1109/TAFFC.2014.2336244"
    ),
    # No actor whose number divides by 5, and none above 1078.
    counts=Counts(
        {
            "angry": 4,
            "disgust": 2,
            "fear": 2,
            "happy": 807,
            "neutral": 2,
            "sad": 807,
        },
        n_unlisted=63,
        part_of="7442 clips, 91 speakers",
    ),
    # Actor, sentence, emotion, level.
    layout=Layout(
        "AudioWAV/1001_DFA_ANG_XX.wav",
        ("AudioWAV/*.wav", "**/*.wav"),
        r"/(?P<speaker>1\d{3})_(?P<sentence>[A-Z]{3})_(?P<emotion>[A-Z]{3})_\w+\.wav$",
        {
            "ANG": "angry",
            "DIS": "disgust",
            "FEA": "fear",
            "HAP": "happy",
            "NEU": "neutral",
            "SAD": "sad",
        },
        lambda speaker: "female" if int(speaker) in WOMEN else "male",
        "en",
    ),
)
