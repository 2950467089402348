"""README's picture of `ser-stream watch`, and the script that makes it."""

import runpy
from xml.etree import ElementTree

from tests.helpers.paths import ROOT

SPACE = "{http://www.w3.org/2000/svg}"


def frames(text: str) -> list[str]:
    """The words of each frame."""
    return [
        " ".join("".join(group.itertext()).split())
        for group in ElementTree.fromstring(text).iter(f"{SPACE}g")
    ]


def test_the_picture_is_what_its_script_makes_of_the_minute() -> None:
    made = runpy.run_path(str(ROOT / "docs/make_pictures.py"))
    text = made["svg"](made["frames"]())
    kept = (ROOT / "docs/watch.svg").read_text()
    assert len(frames(text)) == len(frames(kept)) > 10
    for label in ("FEAR", "ANGRY", "SAD", "NEUTRAL", "HAPPY"):
        shown = [n for n, words in enumerate(frames(text)) if label in words]
        assert shown
        assert shown == [n for n, words in enumerate(frames(kept)) if label in words]


def test_the_picture_loads_nothing_and_stands_still_for_whom_it_should() -> None:
    kept = (ROOT / "docs/watch.svg").read_text()
    assert "http" not in kept.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert "url(" not in kept
    assert "prefers-reduced-motion" in kept
