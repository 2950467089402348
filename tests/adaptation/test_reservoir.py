"""Windows are stored within bounds, in balance, and as features only."""

import io
import pickle
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

import ser_stream
from ser_stream.adaptation.reservoir import MOST_OF_A_TURN, RECENT, Reservoir
from ser_stream.errors import ConfigError
from ser_stream.pipeline.values import SpeechWindow
from ser_stream.sources.recorded import read_chunks
from tests.helpers.paths import MINUTE

N_CLASSES = 5
N_FEATURES = 78


@pytest.fixture(scope="module")
def heard() -> list[SpeechWindow]:
    """A minute of speech, as windows of the pipeline."""
    windows: list[SpeechWindow] = []
    ser_stream.load("open").record(read_chunks(MINUTE), windows.append)
    assert len(windows) > 20
    return windows


def window(label: int, end: int, turn: int, columns: int = 1) -> SpeechWindow:
    scores = np.full(N_CLASSES, 0.1, np.float32)
    scores[label] = 0.6
    frames = np.full((8 * columns + 30, N_FEATURES), end, np.float32)
    return SpeechWindow(frames, scores, end, turn)


def filled(labels: list[int], turn_length: int = 3, capacity: int = 60) -> Reservoir:
    reservoir = Reservoir(N_CLASSES, capacity)
    for i, label in enumerate(labels):
        reservoir.add(window(label, i, i // turn_length))
    return reservoir


def as_bytes(reservoir: Reservoir) -> bytes:
    file = io.BytesIO()
    reservoir.write(file)
    return file.getvalue()


def read(data: bytes, capacity: int = 60) -> Reservoir:
    return Reservoir.read(io.BytesIO(data), N_CLASSES, capacity)


def ends(reservoir: Reservoir) -> list[int]:
    return [kept.end for kept in reservoir.windows()]


def test_it_stores_windows_in_order_to_half_precision(
    heard: list[SpeechWindow],
) -> None:
    reservoir = Reservoir(N_CLASSES)
    for one in heard:
        reservoir.add(one)
    assert len(reservoir) == reservoir.n_added == len(heard)
    for kept, one in zip(reservoir.windows(), heard, strict=True):
        assert (kept.end, kept.turn) == (one.end, one.turn)
        assert len(kept.frames) == len(one.frames)
        assert np.array_equal(kept.scores, one.scores)
        assert kept.frames.dtype == np.float32
        np.testing.assert_allclose(kept.frames, one.frames, rtol=6e-4, atol=1e-6)


def test_what_is_kept_does_not_change_with_what_was_added() -> None:
    reservoir = Reservoir(N_CLASSES)
    one = window(2, 7, 1)
    reservoir.add(one)
    one.frames[:], one.scores[:] = 0, 0
    reservoir.windows()[0].frames[:] = 0
    (kept,) = reservoir.windows()
    assert (kept.frames == 7).all()
    assert kept.scores.argmax() == 2


def test_it_is_bounded_and_rare_classes_stay() -> None:
    labels = [3] * 2000
    labels[100:2000:100] = [1] * 19
    reservoir = filled(labels)
    assert len(reservoir) == 60
    assert reservoir.n_added == 2000
    np.testing.assert_allclose(
        reservoir.class_shares(), np.array([0, 19, 0, 41, 0]) / 60, atol=1e-6
    )


def test_classes_are_level_when_there_is_enough_of_each(
    rng: np.random.Generator,
) -> None:
    labels = rng.choice(N_CLASSES, 3000, p=[0.05, 0.05, 0.1, 0.7, 0.1])
    reservoir = filled([int(label) for label in labels])
    np.testing.assert_allclose(reservoir.class_shares(), 0.2, atol=1e-6)


def test_minutes_are_kept_in_detail_and_hours_in_outline() -> None:
    # Almost three hours of speech, of one class and in turns of three windows.
    reservoir = filled([3] * 10_000)
    ages = 9_999 - np.array(ends(reservoir))
    spans = RECENT * (2 ** np.arange(7) - 1)
    counts, _ = np.histogram(ages, spans)
    # Each span is twice as long as the next younger one.
    assert counts.min() >= 5, counts
    assert counts.max() <= 15, counts
    assert ages.min() == 0


def test_of_a_long_turn_no_more_is_kept_than_of_a_short_one() -> None:
    reservoir = Reservoir(N_CLASSES, 20)
    turns = [turn for turn in range(20) for _ in range(9 if turn % 2 else 1)]
    for i, turn in enumerate(turns):
        reservoir.add(window(3, i, turn))
    counts = Counter(kept.turn for kept in reservoir.windows())
    assert counts == dict.fromkeys(range(20), 1)


def test_a_turn_without_end_holds_only_so_much_and_is_no_news() -> None:
    reservoir = filled([3] * 30)
    for i in range(1000):
        reservoir.add(window(0, 100 + i, 77))
    of_turn = [kept.end for kept in reservoir.windows() if kept.turn == 77]
    assert len(of_turn) == MOST_OF_A_TURN
    assert len(reservoir) == 30 + MOST_OF_A_TURN
    assert max(of_turn) > 100 + 900
    assert reservoir.windows_since_mark == 30 + MOST_OF_A_TURN
    assert reservoir.n_added == 1030


def test_a_round_that_begins_counts_what_is_new_from_there() -> None:
    reservoir = filled([3] * 100)
    assert reservoir.windows_since_mark == 100
    reservoir.mark()
    assert reservoir.windows_since_mark == 0
    reservoir.add(window(0, 200, 50))
    assert reservoir.windows_since_mark == 1
    assert reservoir.n_added == 101


def test_the_same_windows_make_the_same_choice() -> None:
    labels = [0, 3, 3] * 200
    assert ends(filled(labels)) == ends(filled(labels))


def test_a_new_stream_that_counts_turns_again_is_another_turn() -> None:
    reservoir = Reservoir(N_CLASSES)
    for _ in range(3):
        for i in range(8):
            reservoir.add(window(1, 1000 + i, 1))
    assert len(reservoir) == 24
    reopened = read(as_bytes(reservoir))
    for i in range(8):
        reopened.add(window(1, 2000 + i, 1))
    assert len(reopened) == 32


def test_nothing_is_left_when_it_is_cleared() -> None:
    reservoir = filled([0, 1, 2])
    reservoir.clear()
    assert len(reservoir) == reservoir.n_added == reservoir.windows_since_mark == 0
    assert reservoir.windows() == []
    assert not reservoir.class_shares().any()
    reservoir.add(window(0, 0, 0))
    assert len(reservoir) == 1


def test_what_is_saved_comes_back_as_it_was_and_goes_on(
    tmp_path: Path, heard: list[SpeechWindow]
) -> None:
    reservoir = Reservoir(N_CLASSES, 8)
    for one in heard[:-3]:
        reservoir.add(one)
    path = tmp_path / "deep" / "reservoir.npz"
    reservoir.save(path)
    reservoir.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["reservoir.npz"]
    loaded = Reservoir.load(path, N_CLASSES, 8)
    assert loaded.n_added == reservoir.n_added
    assert loaded.windows_since_mark == 0
    for a, b in zip(loaded.windows(), reservoir.windows(), strict=True):
        assert (a.end, a.turn) == (b.end, b.turn)
        assert np.array_equal(a.frames, b.frames)
        assert np.array_equal(a.scores, b.scores)
    for one in heard[-3:]:
        loaded.add(one)
    assert len(loaded) == 8
    assert loaded.n_added == len(heard)


def test_nothing_saved_is_an_empty_one(tmp_path: Path) -> None:
    assert len(Reservoir.load(tmp_path / "none", N_CLASSES)) == 0
    assert len(read(as_bytes(Reservoir(N_CLASSES)))) == 0


def test_a_smaller_one_takes_in_what_it_can_hold_still_in_balance() -> None:
    smaller = read(as_bytes(filled([0, 1, 3, 3, 3, 3] * 20)), capacity=15)
    assert len(smaller) == 15
    np.testing.assert_allclose(smaller.class_shares(), [1 / 3, 1 / 3, 0, 1 / 3, 0])
    assert all(a < b for a, b in pairwise(ends(smaller)))


def test_another_process_reads_it_from_a_pipe(heard: list[SpeechWindow]) -> None:
    reservoir = Reservoir(N_CLASSES)
    for one in heard:
        reservoir.add(one)
    code = (
        "import sys\n"
        "from ser_stream.adaptation.reservoir import Reservoir\n"
        "print(sys.stdin.buffer.readline().decode().strip())\n"
        "windows = Reservoir.read(sys.stdin.buffer, 5).windows()\n"
        "print(sum(len(window.frames) for window in windows))\n"
        "print({'torch', 'onnx', 'safetensors'} & set(sys.modules))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(b"a line before it\n")
        reservoir.write(child.stdin)
        child.stdin.close()
        lines = child.stdout.read().decode().splitlines()
    frames = sum(len(one.frames) for one in heard)
    assert lines == ["a line before it", str(frames), "set()"]


def without(data: bytes, **changes: object) -> bytes:
    with np.load(io.BytesIO(data)) as file:
        arrays = {name: file[name] for name in file.files}
    for name, value in changes.items():
        if value is None:
            del arrays[name]
        else:
            arrays[name] = np.asarray(value)
    result = io.BytesIO()
    np.savez(result, **arrays)
    return result.getvalue()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"not at all" * 99,
        lambda data: data[: len(data) // 2],
        lambda data: data[:900] + b"\xff" * 50 + data[950:],
        lambda data: pickle.dumps({"frames": 1}),
        lambda data: without(data, lengths=None),
        lambda data: without(data, lengths=[38, 38, 39]),
        lambda data: without(data, lengths=[38, 38, 46]),
        lambda data: without(data, end=[1, 2]),
        lambda data: without(data, turn=[0.5, 1.5, 2.5]),
        lambda data: without(data, arrival=[2, 1, 0]),
        lambda data: without(data, heard=1),
        lambda data: without(data, frames=np.full((114, 78), np.nan, np.float16)),
        lambda data: without(data, scores=np.full((3, 4), 0.25, np.float32)),
        lambda data: without(data, scores=np.float32(1)),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    data = damage(as_bytes(filled([0, 1, 2])))
    with pytest.raises(ValueError, match=r"^they are "):
        read(data)
    path = tmp_path / "reservoir.npz"
    path.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        Reservoir.load(path, N_CLASSES)
    assert str(path) in str(caught.value)
    assert "adapt reset" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="directory"):
        Reservoir.load(tmp_path, N_CLASSES)


def test_a_window_of_another_model_is_refused() -> None:
    reservoir = Reservoir(4)
    with pytest.raises(ValueError, match="5 scores, not 4"):
        reservoir.add(window(0, 0, 0))
    assert reservoir.n_added == 0


def test_it_can_be_read_while_it_is_filled() -> None:
    reservoir = Reservoir(N_CLASSES, 30)

    def fill() -> None:
        for i in range(3000):
            reservoir.add(window(i % N_CLASSES, i, i // 4))

    thread = Thread(target=fill)
    thread.start()
    seen = 0
    while thread.is_alive():
        copy = read(as_bytes(reservoir), capacity=30)
        assert copy.n_added >= seen
        seen = copy.n_added
        assert len(copy) == min(seen, 30)
        assert all(a < b for a, b in pairwise(ends(copy)))
    thread.join()
    assert reservoir.n_added == 3000


@pytest.mark.parametrize("number", [np.nan, np.inf, -1e5])
def test_a_window_that_cannot_be_kept_spoils_nothing(number: float) -> None:
    reservoir = Reservoir(N_CLASSES)
    broken = [window(0, 20, 2), window(0, 30, 3)]
    broken[0].frames[7, 3] = number
    broken[1].scores[4] = np.nan
    for one in (window(1, 10, 1), *broken, window(2, 40, 4)):
        reservoir.add(one)
    assert [kept.end for kept in read(as_bytes(reservoir)).windows()] == [10, 40]
    assert (reservoir.n_added, reservoir.windows_since_mark) == (2, 2)
