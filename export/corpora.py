"""Licence and credit of the corpora a model may have been trained on."""

from ser_stream.errors import ModelError
from ser_stream.nn.build import WHISPER
from ser_stream.pipeline.bundle import DEFAULT_MODEL
from training.corpora.corpus import Use
from training.corpora.known import KNOWN
from training.recipe.config import TrainConfig

UNKNOWN = "unknown"
PARTS: dict[str, list[dict[str, object]]] = {
    WHISPER: [
        {
            "name": "Whisper base",
            "what": "its encoder's convolutions and first blocks, frozen, rounded to "
            "eight bits a weight",
            "licence": "MIT",
            "notice": "Copyright (c) 2022 OpenAI",
            "citation": "A. Radford, J. W. Kim, T. Xu, G. Brockman, C. McLeavey, "
            'I. Sutskever, "Robust Speech Recognition via Large-Scale Weak '
            'Supervision", ICML 2023',
        }
    ]
}
"""What of others is in the graphs of a network, by its kind; any use is free."""


def describe(name: str) -> dict[str, object]:
    """What manifest and card say of a corpus.

    One that the project does not know is called by its folder's name, and its licence
    `unknown`.
    """
    corpus = KNOWN.get(name)
    if corpus is None:
        return {"folder": name, "name": name, "licence": UNKNOWN, "any_use": False}
    said: dict[str, object] = {
        "folder": name,
        "name": corpus.title,
        "licence": corpus.licence,
        "language": ", ".join(corpus.languages),
        "any_use": corpus.use is Use.ANY,
    }
    if corpus.notice:
        said["notice"] = corpus.notice
    if not corpus.acted:
        said["acted"] = False
    return {**said, "citation": corpus.citation}


def described(config: TrainConfig) -> list[dict[str, object]]:
    """The corpora of a training, each with the classes taken from it.

    No classes: its clips were heard without their labels.
    """
    return [
        {**describe(corpus.name), "classes": list(corpus.classes(config.labels))}
        for corpus in config.corpora
    ]


def bundle_licence(names: list[str]) -> str:
    """Licence of the weights: MIT, unless a corpus forbids some use."""
    use = {n: KNOWN[n].use if n in KNOWN else Use.UNKNOWN for n in names}
    bound = [n for n in names if use[n] is not Use.ANY]
    if not bound:
        return "MIT"
    described = [describe(n) for n in bound]
    said = ", ".join(f"{one['name']} ({one['licence']})" for one in described)
    if Use.UNKNOWN in use.values():
        return f"unknown, do not pass on: trained on {said}"
    if Use.RESEARCH in use.values():
        return f"{Use.RESEARCH}: trained on {said}"
    return f"{Use.NON_COMMERCIAL}: trained on {said}"


def check_name(name: str, names: list[str]) -> None:
    """Refuse to call a bundle `open` that is not.

    Raises:
        ModelError: if it is so called and a corpus does not allow any use.
    """
    bound = [corpus for corpus in names if not describe(corpus)["any_use"]]
    if name == DEFAULT_MODEL and bound:
        raise ModelError(
            f"a bundle called {name} may be trained only on corpora that allow any "
            f"use, and {', '.join(bound)} does not; give another --name"
        )
