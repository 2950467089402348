"""CASIA: Mandarin, four speakers, six emotions; the 1200 clips in circulation."""

from training.corpora.corpus import Corpus, Counts, Use
from training.corpora.layout import Layout

EMOTIONS = ("angry", "fear", "happy", "neutral", "sad", "surprise")
SEX = {
    "liuchanhg": "female",
    "wangzhe": "male",
    "zhaoquanyin": "female",
    "ZhaoZuoxiang": "male",
}

CASIA = Corpus(
    folder="casia",
    title="CASIA",
    languages=("Mandarin",),
    licence="not established; research",
    use=Use.UNKNOWN,
    citation=(
        "CASIA Chinese emotional speech corpus, Institute of Automation, Chinese "
        "Academy of Sciences, 2005"
    ),
    counts=Counts(dict.fromkeys(EMOTIONS, 200), dict.fromkeys(sorted(SEX), 300)),
    # The number (201 to 250) is the sentence, the same for every speaker and emotion.
    layout=Layout(
        "liuchanhg/angry/201.wav",
        ("**/*.wav",),
        r"/(?P<speaker>[^/]+)/(?P<emotion>[^/]+)/(?P<sentence>\d+)\.wav$",
        {e: e for e in EMOTIONS},
        SEX.get,
        "Mandarin",
        clip="{speaker}_{emotion}_{sentence}",
    ),
    paper="CASIA",
)
