"""What users said of their voices: kept on disk, bounded, and read with suspicion."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ser_stream.adaptation.known_speakers import (
    MOST_ENROLLED_S,
    MOST_EXAMPLES,
    Enrolment,
    Example,
    KnownSpeakers,
    check_name,
)
from ser_stream.adaptation.speaker_file import SpeakerFile, forget_everything
from ser_stream.atomic_file import PART
from ser_stream.errors import ConfigError, ModelError
from ser_stream.pipeline.bundle import load_bundle
from ser_stream.pipeline.last_layer import LastLayer

LABELS = ("angry", "happy", "sad")
N = 8
LAYER = LastLayer(
    np.zeros(N, np.float32), np.eye(3, N, dtype=np.float32), np.zeros(3, np.float32)
)


def example(label: str, at: int = 0, seconds: float = 2.0) -> Example:
    return Example(label, tuple(np.eye(N)[at].tolist()), seconds)


def enrolled(name: str, value: float = 1.0, seconds: float = 10.0) -> Enrolment:
    return Enrolment(name, (value,) * N, seconds)


@pytest.fixture
def file(tmp_path: Path) -> SpeakerFile:
    return SpeakerFile(tmp_path / "speakers/x.json", "x", LABELS, LAYER, "a" * 64)


def test_it_is_kept_for_its_user_alone_and_read_back(file: SpeakerFile) -> None:
    assert file.read() == KnownSpeakers()
    known = KnownSpeakers().with_enrolled(enrolled("Anna"))
    known = known.with_examples([example("angry"), example("sad", 1)])
    file.write(known)
    assert file.read() == known
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    file.write(KnownSpeakers())
    assert not file.path.exists()


def test_a_lesson_is_undone_as_a_whole() -> None:
    first = KnownSpeakers().with_examples([example("angry")])
    second = first.with_examples([example("sad"), example("sad", 1)])
    assert second.without_last() == first
    with pytest.raises(ConfigError, match="nothing was taught"):
        KnownSpeakers().without_last()


def test_people_and_labels_are_forgotten_by_name() -> None:
    known = KnownSpeakers().with_enrolled(enrolled("Anna"))
    known = known.with_examples([example("angry"), example("sad", 1)])
    assert known.without("Anna").names == []
    assert known.without("angry").labels == {"sad": 1}
    with pytest.raises(ConfigError, match="allowed: Anna, angry, sad"):
        known.without("Eva")


def test_who_enrolls_again_replaces_what_was_there() -> None:
    known = KnownSpeakers().with_enrolled(enrolled("Anna", 1.0))
    known = known.with_enrolled(enrolled("Anna", 2.0))
    assert [one.features[0] for one in known.enrolled] == [2.0]


def test_names_are_words_that_are_no_labels() -> None:
    check_name("Anna", LABELS)
    for name in ("", " ", "a\nb", "x" * 65):
        with pytest.raises(ConfigError, match="is no name"):
            check_name(name, LABELS)
    with pytest.raises(ConfigError, match="is a label"):
        check_name("sad", LABELS)


def test_of_too_many_examples_the_oldest_of_the_label_go() -> None:
    known = KnownSpeakers().with_examples([example("sad")])
    for i in range(MOST_EXAMPLES + 5):
        known = known.with_examples([example("angry", i % N)])
    assert known.labels == {"angry": MOST_EXAMPLES, "sad": 1}
    lessons = [one.lesson for one in known.examples if one.label == "angry"]
    assert lessons[0] == 7


def test_a_stream_begins_with_all_of_it() -> None:
    assert KnownSpeakers().voice(LAYER, LABELS) is None
    known = KnownSpeakers().with_enrolled(enrolled("Anna", 1.0, 10.0))
    voice = known.voice(LAYER, LABELS)
    assert voice is not None
    assert voice.heard_s == 10.0
    assert voice.heard == pytest.approx(np.full(N, 10.0))
    assert voice.taught is None
    # Examples are speech of theirs, too.
    known = known.with_examples([example("angry", 3), example("sad", 4)])
    known = known.with_examples([example("angry", 3), example("sad", 4)])
    voice = known.voice(LAYER, LABELS)
    assert voice is not None
    assert voice.heard_s == 18.0
    assert voice.taught is not None
    assert voice.taught[0, 3] > 0 > voice.taught[0, 4]
    # A label that the network has not says nothing to it.
    assert known.voice(LAYER, ("angry", "happy", "bored")).taught is None  # type: ignore[union-attr]


def test_live_speech_moves_the_mean_however_much_was_enrolled() -> None:
    known = KnownSpeakers()
    for i in range(20):
        known = known.with_enrolled(enrolled(f"p{i}", 1.0, 100.0))
    voice = known.voice(LAYER, LABELS)
    assert voice is not None
    assert voice.heard_s == pytest.approx(MOST_ENROLLED_S)
    assert voice.heard == pytest.approx(np.full(N, MOST_ENROLLED_S))


@pytest.mark.parametrize(
    "change",
    [
        lambda content: {**content, "network": "b" * 64},
        lambda content: {**content, "format": 9},
        lambda content: {**content, "examples": [{"label": "angry"}]},
        lambda content: {
            **content,
            "enrolled": [{"name": "A", "features": [1.0], "seconds": 3}],
        },
        lambda content: {
            **content,
            "enrolled": [{"name": "A", "features": [1e999] * N, "seconds": 3}],
        },
        lambda content: {
            **content,
            "enrolled": [{"name": "A", "features": [1e300] * N, "seconds": 3}],
        },
        lambda content: {
            **content,
            "enrolled": [{"name": 5, "features": [1.0] * N, "seconds": 3}],
        },
        lambda content: {
            **content,
            "examples": [{"label": ["x"], "features": [1.0] * N, "seconds": 3}],
        },
        lambda content: [],
    ],
)
def test_a_damaged_file_is_named_and_what_to_do(
    file: SpeakerFile, change: object
) -> None:
    file.write(KnownSpeakers().with_enrolled(enrolled("Anna")))
    content = json.loads(file.path.read_text())
    file.path.write_text(json.dumps(change(content)))  # type: ignore[operator]
    with pytest.raises(ConfigError, match=rf"{file.path}.*delete it"):
        file.read()
    file.path.write_bytes(b"\xff\x00")
    with pytest.raises(ConfigError, match="delete it"):
        file.read()


def test_thresholds_do_not_make_another_network_and_weights_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    one, other = load_bundle("open"), load_bundle("research")
    assert one.features is not None
    assert other.features is not None
    layers = [LastLayer.read(one.features), LastLayer.read(other.features)]
    first = SpeakerFile.of(one, layers[0]).path
    assert first.parent == tmp_path / "ser-stream/speakers"
    assert first != SpeakerFile.of(other, layers[1]).path
    uncertain = {**one.manifest["thresholds"], "uncertain": 0.9}
    tuned = replace(one, manifest={**one.manifest, "thresholds": uncertain})
    assert SpeakerFile.of(tuned, layers[0]).path == first
    with pytest.raises(ModelError, match="cannot be taught"):
        SpeakerFile.of(one, None)


def test_no_change_is_lost_where_several_change_it(file: SpeakerFile) -> None:
    def teach(i: int) -> None:
        file.change(lambda known: known.with_examples([example("sad", i % N)]))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(teach, range(MOST_EXAMPLES)))
    known = file.read()
    assert known.labels == {"sad": MOST_EXAMPLES}
    assert [one.lesson for one in known.examples] == list(range(1, MOST_EXAMPLES + 1))
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600


def test_a_change_that_is_refused_changes_nothing(file: SpeakerFile) -> None:
    file.change(lambda known: known.with_enrolled(enrolled("Anna")))
    before = file.path.read_bytes()
    with pytest.raises(ConfigError):
        file.change(lambda known: known.without("Eva"))
    assert file.path.read_bytes() == before


def test_everything_is_forgotten_also_of_models_that_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    folder = tmp_path / "ser-stream/speakers"
    for name in ("open-1.json", "gone-2.json"):
        SpeakerFile(folder / name, "x", LABELS, LAYER, "a" * 64).write(
            KnownSpeakers().with_enrolled(enrolled("Anna"))
        )
    assert len(list(folder.glob("*.json"))) == 2
    # A kill, while one of them was replaced.
    (folder / f"{PART}1").write_bytes((folder / "open-1.json").read_bytes())
    forget_everything()
    assert not list(folder.iterdir())
