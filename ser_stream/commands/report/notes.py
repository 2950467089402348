"""What the numbers do not mean; the figures are README's."""

from collections.abc import Iterable

ABROAD = {
    "open": "42 % on English SAVEE, 36 % on Mandarin CASIA and, where it was "
    "calibrated, 50 % on English RAVDESS",
    "accurate": "55 % on English SAVEE, 41 % on Mandarin CASIA and, where it was "
    "calibrated, 64 % on English RAVDESS",
    "research": "49 % on English SAVEE, 39 % on Mandarin CASIA",
}
"""Right, averaged over the classes (UAR), on voices that the model never heard."""
MEANING = (
    "These numbers tell how voices sounded to a model, not what a person felt. The "
    "bundled models learned from actors who were told which emotion to play; on "
    "spontaneous speech they have not been measured."
)
OTHERS = (
    "How right such a model is on voices, languages and microphones that it never "
    "heard, ser-stream model show tells."
)
HEARD = (
    "It hears one voice at a time and does not tell speakers apart: all that is here "
    "may be of anyone near the microphone, or of a loudspeaker. Confidence is a "
    "calibrated score of the model, not a share of the cases in which it is right here."
)
LAW = (
    "In the European Union the AI Act (Regulation 2024/1689) prohibits inferring "
    "emotions of people at work and in education, save for medical or safety reasons "
    "(Article 5(1)(f)), and a deployer of emotion recognition elsewhere must inform "
    "the persons who are exposed to it (Article 50(3)). Do not decide anything about a "
    "person by what this page says."
)


def notes(models: Iterable[str]) -> list[str]:
    """Paragraphs, with what is known of these models."""
    known = [
        f"{name} was right in {ABROAD[name]}, where chance is 20 %."
        for name in dict.fromkeys(models)
        if name in ABROAD
    ]
    figures = "On voices that it never heard, the model " + " ".join(known)
    return [MEANING, figures if known else OTHERS, HEARD, LAW]
