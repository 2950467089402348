"""`listen --tell-speakers`, and `speakers` of who is told apart."""

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from ser_stream.client import RefusedError, control
from ser_stream.pipeline.values import SAMPLE_RATE, FloatArray
from tests.helpers.paths import MINUTE
from tests.helpers.program import error_line, run
from tests.helpers.protocol_schema import validate
from tests.helpers.running_daemon import RunningDaemon, running_daemon
from tests.helpers.two_people import talk


def hear(daemon: RunningDaemon, samples: FloatArray) -> None:
    """Let it hear something, and wait until it has."""
    pipe = daemon.process.stdin
    assert pipe is not None
    pipe.write((samples * 32767).astype("<i2").tobytes())
    pipe.flush()
    deadline = time.monotonic() + 60
    # It may still wait for its first samples.
    while heard_s(daemon) < len(samples) / SAMPLE_RATE - 0.2:
        assert time.monotonic() < deadline, daemon.log.read_text()
        time.sleep(0.1)


def heard_s(daemon: RunningDaemon) -> float:
    try:
        return float(control("status", daemon.socket)["audio"]["heard_s"])
    except RefusedError:
        return 0.0


def ask(daemon: RunningDaemon, *arguments: str) -> dict[str, Any]:
    given = ("speakers", *arguments, "--socket", str(daemon.socket), "--json")
    done = run(*given, environment=daemon.environment)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_who_is_told_apart_is_named_kept_known_again_and_forgotten(
    tmp_path: Path,
) -> None:
    both, _ = talk()
    lines = tmp_path / "lines"
    flags = ("--tell-speakers", "--raw")
    options: dict[str, Any] = {"source": "-", "stdin": subprocess.PIPE}
    with (
        lines.open("wb") as output,
        running_daemon(*flags, "--to", "stdout:", stdout=output, **options) as daemon,
    ):
        hear(daemon, both)
        live = ask(daemon, "list")["live"]
        first, second = live["speakers"]
        assert (first["speaker"], first["name"], first["kept"]) == (1, None, False)
        assert min(first["seconds"], second["seconds"]) > 3
        woman, man = "1", str(second["speaker"])
        for arguments, words in (
            (("keep", woman), "has no name to be kept by"),
            (("name", woman, "7"), "is a number"),
            (("name", woman, "sad"), "is a label"),
            (("name", "9", "Anna"), "no speaker is '9'; allowed: 1, "),
            (("merge", woman, woman), "both are speaker 1"),
        ):
            done = run(
                *("speakers", *arguments, "--socket", daemon.socket),
                environment=daemon.environment,
            )
            assert done.returncode == 1
            assert words in error_line(done)
        assert ask(daemon, "name", woman, "Anna")["speakers"][0]["name"] == "Anna"
        file = Path(live["file"])
        assert not file.exists()  # nothing is written that nobody asked for
        assert ask(daemon, "keep", "Anna")["speakers"][0]["kept"] is True
        assert file.stat().st_mode & 0o777 == 0o600
        text = run(
            "speakers", "list", "--socket", daemon.socket,
            environment=daemon.environment,
        ).stdout.decode()  # fmt: skip
        assert "speaker 1 (Anna): " in text
        assert "voices kept: Anna" in text
        (only,) = ask(daemon, "merge", "Anna", man)["speakers"]
        assert only["seconds"] == pytest.approx(
            first["seconds"] + second["seconds"], abs=0.2
        )
        kept = file.read_text()
        assert daemon.stop() == 0
        told = [json.loads(line) for line in lines.read_text().splitlines()]
        for message in told:
            validate(message)
        events = [m for m in told if m["type"] in ("prediction", "emotion")]
        assert all("speaker" in m for m in events)
        assert {m["speaker"] for m in events} == {None, 1, int(man)}

        # The next one knows her. (Merged with him, her voice is hardly hers.)
        with running_daemon(*flags, folder=daemon.folder, **options) as next:
            hear(next, talk()[0][: SAMPLE_RATE // 2])
            (anna,) = control("speakers.live", next.socket)["speakers"]
            assert anna == {
                "speaker": 1, "name": "Anna", "seconds": 0.0, "heard_s_ago": None,
                "kept": True,
            }  # fmt: skip
            hear(next, both)
            known = control("speakers.live", next.socket)["speakers"]
            assert known[0]["seconds"] > 3
            ask(next, "forget", "1")
            assert not file.exists()
            names = [one["name"] for one in ask(next, "list")["live"]["speakers"]]
            assert "Anna" not in names

            file.write_text(kept)
            done = run("speakers", "forget", "--all", environment=next.environment)
            assert done.returncode == 0
            assert not file.exists()


def test_a_daemon_that_keeps_its_speakers_elsewhere_forgets_all_of_them_too(
    tmp_path: Path,
) -> None:
    flags = ("--tell-speakers", "--raw")
    options: dict[str, Any] = {"source": "-", "stdin": subprocess.PIPE}
    with running_daemon(*flags, **options) as daemon:
        hear(daemon, talk()[0])
        control("speakers.enroll", daemon.socket, name="Eva", last_s=30.0)
        control("speakers.name", daemon.socket, speaker="1", name="Anna")
        file = Path(control("speakers.keep", daemon.socket, speaker="1")["file"])
        mine = tmp_path / "ser-stream" / "speakers"
        assert file.exists()
        assert file.parent != mine
        for folder in (file.parent, mine):
            folder.mkdir(parents=True, exist_ok=True)
            # As a kill leaves it, while somebody was written.
            (folder / ".part-0123456789abcdef").write_text(file.read_text()[:999])

        forget = ("speakers", "forget", "--all", "--socket", daemon.socket)
        environment = {**daemon.environment, "XDG_STATE_HOME": str(tmp_path)}
        done = run(*forget, environment=environment)
        assert done.returncode == 0, done.stderr
        assert control("speakers.live", daemon.socket)["speakers"] == []
        assert control("speakers.status", daemon.socket)["enrolled"] == []
        left = {path.suffix for path in (*file.parent.iterdir(), *mine.iterdir())}
        assert left <= {".lock"}
        assert daemon.stop() == 0

        # Whether it has forgotten cannot be known now.
        done = run(*forget, environment=environment)
        assert done.returncode == 3
        assert f"{mine} is gone; what a daemon keeps elsewhere" in error_line(done)


def test_without_the_option_nobody_is_told_apart_until_a_reload(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("")
    several = ("--input", f"b={MINUTE}", "--config", file)
    with running_daemon(*several, source=f"a={MINUTE}") as daemon:
        with pytest.raises(RefusedError, match="--tell-speakers"):
            control("speakers.live", daemon.socket, source="b")
        file.write_text("tell_speakers = true\nmost_speakers = 2\n")
        changed = control("reload", daemon.socket)["changed"]
        assert set(changed) == {"tell_speakers", "most_speakers"}
        assert control("speakers.live", daemon.socket, source="b")["most"] == 2
        with pytest.raises(RefusedError, match="by --source: a, b"):
            control("speakers.live", daemon.socket)
        file.write_text("tell_speakers = false\n")
        control("reload", daemon.socket)
        with pytest.raises(RefusedError, match="--tell-speakers"):
            control("speakers.live", daemon.socket, source="b")


def test_how_many_are_told_apart_has_bounds() -> None:
    done = run("listen", "--tell-speakers", "--most-speakers", "17")
    assert done.returncode == 2
    assert "most_speakers is 17; allowed: 1 to 16" in error_line(done)
