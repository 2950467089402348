"""`ser-stream doctor` names what is wrong, and how to mend it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from ser_stream.client import control
from ser_stream.doctor import libraries, microphone, running, settings, sound
from ser_stream.doctor.finding import Finding, Level
from ser_stream.doctor.microphone_test import MicrophoneTest, run_test
from tests.helpers.paths import MINUTE
from tests.helpers.program import ENVIRONMENT, run
from tests.helpers.running_daemon import running_daemon
from tests.helpers.virtual_microphone import (
    RATE,
    VirtualMicrophone,
    environment,
    require,
    virtual_microphone,
)

BRIEFLY = "0.5"


@pytest.fixture(scope="module")
def server() -> Iterator[VirtualMicrophone]:
    with virtual_microphone() as running:
        running.add_source("usb", "USB PnP", "room")
        yield running


@contextlib.contextmanager
def playing(server: VirtualMicrophone, samples: NDArray[np.float64]) -> Iterator[None]:
    """This sound is in the room meanwhile."""
    path = server.folder / "sound.wav"
    soundfile.write(path, samples, RATE, subtype="FLOAT")
    command = ["paplay", "--device=room", "--latency-msec=200", str(path)]
    with subprocess.Popen(command, env=server.env) as player:
        while not server.pactl("list", "short", "sink-inputs"):
            assert player.poll() is None
        try:
            yield
        finally:
            player.kill()


def tone(amplitude: float, seconds: float = 20.0) -> NDArray[np.float64]:
    return amplitude * np.sin(2 * np.pi * 220 * np.arange(round(seconds * RATE)) / RATE)


def judged(
    server: VirtualMicrophone,
    monkeypatch: pytest.MonkeyPatch,
    name: str = "usb",
    holder: str | None = None,
) -> Finding:
    """The last word on a microphone, after half a second of listening to it."""
    for key, value in server.env.items():
        monkeypatch.setenv(key, value)
    return list(microphone.check(run_test(name, 0.5), f"mic:{name}", holder))[-1]


def test_a_microphone_with_speech_is_in_order(
    server: VirtualMicrophone, monkeypatch: pytest.MonkeyPatch
) -> None:
    with playing(server, tone(0.1)):
        found = judged(server, monkeypatch)
    assert found.level is Level.OK
    assert found.text == "USB PnP picks up sound: the loudest 0.1 s was -23 dBFS"


def test_one_that_whispers_is_to_be_turned_up(
    server: VirtualMicrophone, monkeypatch: pytest.MonkeyPatch
) -> None:
    with playing(server, tone(0.001)):
        found = judged(server, monkeypatch)
    assert found.level is Level.WARN
    assert "whisper: the loudest 0.1 s was -63 dBFS" in found.text
    assert "pactl set-source-volume usb 100%" in found.fix


def test_one_that_clips_is_to_be_turned_down(
    server: VirtualMicrophone, monkeypatch: pytest.MonkeyPatch
) -> None:
    with playing(server, tone(3.0).clip(-1, 1)):
        found = judged(server, monkeypatch)
    assert found.level is Level.WARN
    assert "USB PnP clips: " in found.text
    assert found.fix == "turn it down: pactl set-source-volume usb 50%"


def test_one_that_is_muted_is_to_be_unmuted_and_that_mends_it(
    server: VirtualMicrophone, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.pactl("set-source-mute", "usb", "1")
    with playing(server, tone(0.1)):
        found = judged(server, monkeypatch)
        assert (found.level, found.text) == (Level.FAIL, "USB PnP is muted")
        subprocess.run(found.fix.split(), env=server.env, check=True)
        assert judged(server, monkeypatch).level is Level.OK


def test_one_that_delivers_exact_zeros_is_not_connected(
    server: VirtualMicrophone, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = judged(server, monkeypatch)
    assert found.level is Level.FAIL
    assert found.text.startswith("USB PnP delivers exact zeros")


def test_one_that_does_not_exist_is_named_with_those_that_do(
    server: VirtualMicrophone, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = judged(server, monkeypatch, "telephone")
    assert found.level is Level.FAIL
    assert found.text == "mic:telephone: no input device is called 'telephone'"
    assert found.fix.startswith("ser-stream devices")


def test_the_program_ends_with_one_where_something_failed(
    server: VirtualMicrophone,
) -> None:
    done = run(
        *("doctor", "--json", "--seconds", BRIEFLY, "--input", "mic:usb"),
        environment=server.env,
    )
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["ok"]) == (1, False)
    checks = {row["check"]: row for row in answer["checks"]}
    failed = [name for name, row in checks.items() if row["level"] == "fail"]
    assert failed == ["microphone"]  # nothing plays: exact zeros
    assert {"python", "libraries", "configuration", "model"} <= set(checks)
    assert checks["sound server"]["text"] == "pulseaudio answers"
    assert checks["ALSA plug-in"]["level"] == "ok"
    assert "USB PnP (mic:usb)" in checks["devices"]["text"]
    assert done.stderr == b""


def test_the_program_ends_with_zero_where_nothing_failed(
    server: VirtualMicrophone,
) -> None:
    with playing(server, tone(0.1)):
        done = run("doctor", "--seconds", BRIEFLY, environment=server.env)
    assert done.returncode == 0, done.stdout.decode()
    lines = done.stdout.decode().splitlines()
    assert lines[-1].startswith("failed: 0, warnings: ")
    assert all(
        line.startswith(("ok ", "warn", "   ", "failed")) or not line for line in lines
    )


def test_a_server_that_portaudio_cannot_reach_lacks_the_plug_in(
    server: VirtualMicrophone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for key, value in server.env.items():
        monkeypatch.setenv(key, value)
    answers, plugin = sound.check([{"index": 0, "name": "default", "host_api": "ALSA"}])
    assert answers == Finding("sound server", Level.OK, "pulseaudio answers")
    assert plugin.level is Level.FAIL
    assert "apt install libasound2-plugins" in plugin.fix
    # Without pactl the server cannot be asked, but its socket is there.
    monkeypatch.setenv("PATH", str(tmp_path))
    silent, _ = sound.check([])
    assert silent.level is Level.WARN
    assert "apt install pulseaudio-utils" in silent.fix


@pytest.mark.parametrize("may", [True, False])
def test_a_sound_card_that_this_user_may_not_open_is_a_matter_of_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, may: bool
) -> None:
    (tmp_path / "pcmC0D0c").touch()
    monkeypatch.setattr(sound, "_CARDS", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda path, mode: may)
    (found,) = sound.check([])
    if may:
        assert found.text == "none answers; ALSA opens the sound cards itself"
    else:
        assert found.text == f"this user may not open {tmp_path}/pcmC0D0c"
        assert "--groups audio" in found.fix


def test_what_a_daemon_holds_is_not_said_to_be_broken() -> None:
    test = MicrophoneTest(failed="open", error="busy", device="USB PnP (hw:1,0)")
    *_, found = microphone.check(test, "mic", "the daemon at /run/x")
    assert found == Finding(
        "microphone", Level.OK, "USB PnP (hw:1,0) is in use, by the daemon at /run/x"
    )


@pytest.fixture
def silence() -> Iterator[dict[str, str]]:
    """A user without sound."""
    require()
    if list(Path("/dev/snd").glob("pcm*c")):
        pytest.skip("this computer has a sound card, so there is an input device")
    with tempfile.TemporaryDirectory() as folder:
        yield environment(Path(folder))


def test_without_sound_it_says_so_and_does_not_break(silence: dict[str, str]) -> None:
    done = run("doctor", "--json", "--seconds", BRIEFLY, environment=silence)
    rows = {row["check"]: row for row in json.loads(done.stdout)["checks"]}
    assert done.returncode == 1
    assert "user" in rows["sound server"]["fix"]
    assert "no input device at all" in rows["microphone"]["text"]
    assert done.stderr == b""


def test_outside_of_a_session_that_is_named_as_the_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sound, "_CARDS", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    (found,) = sound.check([])
    assert "XDG_RUNTIME_DIR is not set" in found.text
    assert "ser-stream install-service" in found.fix
    assert "loginctl enable-linger" in found.fix


def test_a_package_that_is_missing_is_a_finding_and_no_traceback(
    tmp_path: Path, silence: dict[str, str]
) -> None:
    # What an import finds where the package is not.
    for name in ("sounddevice", "websockets"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('not installed')\n")
    config = tmp_path / "config.toml"
    config.write_text('to = ["ws://127.0.0.1:8765"]\n')
    path = os.pathsep.join([str(tmp_path), silence["PYTHONPATH"]])
    done = run(
        *("doctor", "--json", "--config", config),
        environment={**silence, "PYTHONPATH": path},
    )
    rows = {row["check"]: row for row in json.loads(done.stdout)["checks"]}
    assert done.returncode == 1
    assert done.stderr == b""
    assert "pip install sounddevice" in rows["PortAudio"]["fix"]
    assert rows["extra ws"]["fix"].endswith("pip install 'ser-stream[ws]'")
    assert rows["model"]["level"] == "ok"


def test_what_adaptation_lacks_is_a_finding_where_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f"[adapt]\nenabled = true\npack = '{tmp_path / 'none'}'\n")
    read, _ = settings.read(config)
    assert read is not None
    model, pack = settings.check_model(read)
    assert (model.check, model.level) == ("model", Level.OK)
    assert (pack.check, pack.level) == ("adaptation pack", Level.FAIL)
    assert str(tmp_path / "none") in pack.text
    assert "adaptation-pack" in pack.fix

    monkeypatch.setitem(sys.modules, "torch", None)
    *_, extra = libraries.check(read.config)
    assert (extra.check, extra.level) == ("extra adapt", Level.FAIL)
    assert "torch" in extra.text
    assert extra.fix.endswith("pip install 'ser-stream[adapt]'")
    *_, extra = libraries.check(None)
    assert extra.level is Level.OK


def test_settings_and_models_that_cannot_be_used_are_findings(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("stpe = 0.2\n")
    read, found = settings.read(config)
    assert read is None
    assert (found.check, found.level) == ("configuration", Level.FAIL)
    assert f"{config}:1: unknown key 'stpe'; did you mean step?" in found.text
    config.write_text('model = "none"\n')
    read, found = settings.read(config)
    assert read is not None
    assert found.text == f"{config} is in order"
    (found,) = settings.check_model(read)
    assert (found.check, found.level) == ("model", Level.FAIL)
    assert found.text == "there is no model 'none'"


def test_what_is_no_microphone_is_refused() -> None:
    done = run("doctor", "--input", "talk.wav")
    assert done.returncode == 2
    assert b"what can be looked at is mic or mic:NAME" in done.stderr


def test_a_sound_system_that_crashes_or_hangs_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash = "import os; os.abort()\n"
    hang = "import time; time.sleep(600)\n"
    monkeypatch.syspath_prepend(str(tmp_path))
    timeout = "ser_stream.doctor.microphone_test.TIMEOUT_S"
    for code, seconds, said in (
        (crash, 300.0, "status -6"),
        (hang, 1.0, "no answer within 1 s"),
    ):
        monkeypatch.setattr(timeout, seconds)
        (tmp_path / "sounddevice.py").write_text(code)
        (found,) = microphone.check(run_test("", 0.0), "mic", None)
        assert found.level is Level.FAIL
        assert said in found.text
        assert "restart pipewire" in found.fix


def test_a_daemon_that_runs_is_asked_how_it_is(tmp_path: Path) -> None:
    with running_daemon() as daemon:
        while not control("status", daemon.socket)["steps"]:
            assert daemon.process.poll() is None
        found, device = running.check_daemon(daemon.socket)
        assert found is not None
        assert found.level is Level.OK
        assert "a daemon answers: ser-stream" in found.text
        assert device == MINUTE.name
        daemon.process.send_signal(signal.SIGSTOP)
        found, _ = running.check_daemon(daemon.socket)
        assert found is not None
        assert found.level is Level.FAIL
        daemon.process.kill()
        daemon.process.wait()
        found, _ = running.check_daemon(daemon.socket)
        assert found is not None
        assert found.level is Level.OK
        assert "left by a daemon that has gone" in found.text
    assert running.check_daemon(tmp_path / "none") == (None, "")


def test_a_daemon_without_audio_is_not_in_order(tmp_path: Path) -> None:
    nobody = {**ENVIRONMENT, "PULSE_SERVER": f"unix:{tmp_path}/nobody"}
    with running_daemon(source="mic:nowhere", environment=nobody) as daemon:
        found, device = running.check_daemon(daemon.socket)
        assert (found and found.level, device) == (Level.WARN, "")
        control("pause", daemon.socket)
        found, device = running.check_daemon(daemon.socket)
        assert (found and found.fix, device) == ("ser-stream resume", "")
