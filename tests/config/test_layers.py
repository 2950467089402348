"""Settings from all sides: which wins, where it came from, and what is wrong."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ser_stream.config import KEYS, Settings, build_config, chosen_path, resolve
from ser_stream.config.keys import parse_assignment
from ser_stream.errors import ConfigError
from ser_stream.pipeline.smoothing import SmoothingConfig
from ser_stream.protocol.access_token import read_token


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def settings(
    file: Path, text: str = "", variables: Mapping[str, str] | None = None, **flags: Any
) -> Settings:
    """Settings of a file, the variables and nothing else of the environment."""
    file.write_text(text)
    return resolve(file, flags, environment=variables or {})


def refusal(
    file: Path,
    text: str = "",
    variables: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> str:
    """What is said of settings that are wrong, with FILE for the name of the file."""
    file.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ConfigError) as caught:
        resolve(file, flags or {}, environment=variables or {})
    return str(caught.value).replace(str(file), "FILE")


def test_flags_win_over_variables_over_the_file_over_what_is_built_in(
    file: Path,
) -> None:
    text = "# mine\nstep = 0.3\nwindow = 2\n\n[gate]\nenter = 0.6\nexit = 0.4\n"
    found = settings(
        file,
        text,
        {"SER_STREAM_WINDOW": "1.5", "SER_STREAM_GATE_EXIT": "0.3"},
        step=0.4,
    )
    assert found.config.step_s == 0.4
    assert found.config.window_s == 1.5
    assert (found.config.gate.enter, found.config.gate.exit) == (0.6, 0.3)
    origins = {name: found[name].origin for name in KEYS}
    assert origins.pop("step") == "--step"
    assert origins.pop("window") == "SER_STREAM_WINDOW"
    assert origins.pop("gate.enter") == f"{file}:6"
    assert origins.pop("gate.exit") == "SER_STREAM_GATE_EXIT"
    assert {v for k, v in origins.items() if k.startswith("smoothing")} == {
        "model open"
    }
    assert {v for k, v in origins.items() if not k.startswith("smoothing")} == {
        "default"
    }


VALUES: dict[str, Any] = {
    "input": "a.wav",
    "pace": "fast",
    "channel": "left",
    "raw": True,
    "rate": 8000,
    "channels": 2,
    "encoding": "mulaw",
    "wait": True,
    "model": "research",
    "step": 0.5,
    "window": 2.0,
    "speakers": False,
    "tell_speakers": True,
    "most_speakers": 6,
    "to": ("stdout:", "unix:///run/a b.sock"),
    "format": "json",
    "token_file": "/etc/token",
    "allow_origin": ("https://example.org",),
    "max_subscribers": 7,
    "trust_network": True,
    "on_emotion": "logger -t 'my mood'",
    "on_emotion_every_s": 2.5,
    "metrics": "127.0.0.1:9469",
    "log_format": "json",
    "log_level": "debug",
    **{name: 0.45 for name in KEYS if name.startswith(("gate.", "smoothing."))},
    "adapt.enabled": True,
    "adapt.pack": "/var/lib/pack",
    "adapt.state": "~/learnt",
    "adapt.scope": "cheap",
    "adapt.every_s": 60.0,
    "adapt.keep_speech": True,
    "broker.user": "desk",
    "broker.password_file": "/etc/password",
    "broker.ca_file": "/etc/ca.pem",
    "broker.client_id": "desk-1",
    "broker.keepalive_s": 30,
    "broker.discovery": False,
    "broker.discovery_prefix": "ha",
    "serve.listen": ("ws://127.0.0.1:8770", "unix:///run/s.sock"),
    "serve.to": ("stdout:",),
    "serve.max_streams": 20,
    "serve.idle_s": 7.5,
    "serve.max_s": 3600.0,
    "serve.metrics": "127.0.0.1:9470",
}


def spelt(value: Any) -> str:
    """A value as TOML has it."""
    if isinstance(value, tuple):
        return "[" + ", ".join(map(spelt, value)) + "]"
    if isinstance(value, str):
        return '"' + value + '"'
    return str(value).lower()


def test_every_key_can_be_set_in_the_file(file: Path) -> None:
    assert list(VALUES) == list(KEYS)
    lines = [f"{n} = {spelt(v)}" for n, v in VALUES.items() if "." not in n]
    lines += [f"{n} = {spelt(v)}" for n, v in VALUES.items() if "." in n]
    found = settings(file, "\n".join(lines))
    assert {name: found[name].value for name in KEYS} == VALUES
    for i, name in enumerate(KEYS, start=1):
        assert found[name].origin == f"{file}:{i}"


def test_every_key_can_be_set_by_its_variable(file: Path) -> None:
    variables = {
        key.variable: str(VALUES[name])
        for name, key in KEYS.items()
        if key.kind is not tuple
    }
    variables["SER_STREAM_TO"] = "stdout:, unix:///run/a.sock"
    variables["SER_STREAM_ALLOW_ORIGIN"] = "https://example.org https://example.com:8"
    variables["SER_STREAM_SERVE_LISTEN"] = "tcp://127.0.0.1:8771"
    variables["SER_STREAM_SERVE_TO"] = "stdout:"
    found = settings(file, "", variables)
    for name, key in KEYS.items():
        assert found[name].origin == key.variable
        if key.kind is not tuple:
            assert found[name].value == VALUES[name]
    assert found.config.to == ("stdout:", "unix:///run/a.sock")
    assert found.config.allow_origin == ("https://example.org", "https://example.com:8")


def test_an_empty_variable_sets_nothing_and_an_empty_text_is_off(file: Path) -> None:
    text = 'metrics = "127.0.0.1:1"\non_emotion = "true"\n'
    assert settings(file, text, {"SER_STREAM_METRICS": " "}).config.metrics is not None
    found = settings(file, text, on_emotion="").config
    assert found.on_emotion is None
    assert found.command is None


def test_a_variable_that_is_no_setting_is_a_warning_with_the_nearest(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    variables = {
        "SER_STREAM_STEPP": "1",
        "SER_STREAM_TOKEN": "secret",
        "SER_STREAM_REQUIRE_MICROPHONE": "1",
        "OTHER": "x",
    }
    assert settings(file, "", variables).given == {}
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage() == (
        "SER_STREAM_STEPP is no setting; it is ignored; did you mean SER_STREAM_STEP?"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\nstepp = 1", "FILE:2: unknown key 'stepp'; did you mean step?"),
        ("[gatee]\nx = 1", "FILE:1: unknown key 'gatee'; did you mean gate?"),
        ("[gate]\nentr = 1", "FILE:2: unknown key 'entr' in [gate]; did you mean en"),
        ("[gate]\nstep = 1", "FILE:2: unknown key 'step' in [gate]; it belongs above"),
        ("enter = 1", "FILE:1: unknown key 'enter'; it belongs in [gate] or [smoothi"),
        ("zzz = 1", "FILE:1: unknown key 'zzz'; allowed: input, pace, channel,"),
        ("gate = 3", "FILE:1: gate must be a table, [gate]"),
        ("[[gate]]\nenter = 1", "FILE:1: gate must be a table, [gate]"),
        ("[gate.enter]\nx = 1", "FILE:1: gate.enter is {'x': 1}; it must be a number"),
        ("step = 'x'", "FILE:1: step is 'x'; it must be a number"),
        ("step = true", "FILE:1: step is True; it must be a number"),
        ("rate = 1.5", "FILE:1: rate is 1.5; it must be a whole number"),
        ("wait = 1", "FILE:1: wait is 1; it must be true or false"),
        ("model = 1", "FILE:1: model is 1; it must be a string"),
        ("to = 'stdout:'", "FILE:1: to is 'stdout:'; it must be a list of strings"),
        ("to = ['stdout:', 1]", "FILE:1: to is ['stdout:', 1]; it must be a list of"),
        ("to = []", "FILE:1: to is empty; it names at least one output"),
        ("to = ['tcp:x']", "FILE:1: address 'tcp:x': allowed is tcp://HOST:PORT"),
        ("to = ['ftp://a']", "FILE:1: unknown address 'ftp://a'; allowed are stdout:"),
        ("to = ['ws://a:1','ws://a:1/']", "FILE:1: to names an address twice: ws://"),
        ("[gate]\n# x\nenter = 2", "FILE:3: gate thresholds must satisfy 0 < exit <="),
        ("gate = {enter = 2}", "FILE:1: gate thresholds must satisfy"),
        ("gate.enter = 2", "FILE:1: gate thresholds must satisfy"),
        ("[smoothing]\nuncertain = 2", "FILE:2: uncertain is 2.0; allowed: a score"),
        ("step = 0.25", "FILE:1: step is 0.25 s; allowed: a multiple of 0.1"),
        ("\n\nwindow = 9", "FILE:3: window is 9 s; allowed: from 0.5125 to 2.9125"),
        ("rate = 3\nchannels = 0", "FILE:1: rate is 3 Hz; allowed: 1000 to 768000"),
        ("pace = 'slow'", "FILE:1: pace is 'slow'; allowed: realtime, fast"),
        ("format = 'xml'", "FILE:1: format is 'xml'; allowed: auto, json, text"),
        ("log_level = 'loud'", "FILE:1: log_level is 'loud'; allowed: debug, info,"),
        ("log_format = 'xml'", "FILE:1: log_format is 'xml'; allowed: auto, json"),
        ("max_subscribers = 0", "FILE:1: max_subscribers is 0; allowed: 1 to 100000"),
        ('on_emotion = "\'"', 'FILE:1: on_emotion is "\'": no closing quotation'),
        ("on_emotion = ' '", "FILE:1: on_emotion is ' ', which is no command"),
        ("on_emotion_every_s = nan", "FILE:1: on_emotion_every_s is nan; allowed: 0"),
        ("allow_origin = ['*']", "FILE:1: allow_origin has '*'; allowed: scheme://h"),
        ("allow_origin = ['https://a/']", "FILE:1: allow_origin has 'https://a/'"),
        ("metrics = 'x'", "FILE:1: metrics is 'x'; allowed: HOST:PORT, such as 127"),
        ("metrics = '0.0.0.0:1'", "FILE:1: metrics is '0.0.0.0:1', which others cou"),
        ("step = 1\n\nstep = 2", "FILE:3: step is set twice; it stands on line 1 too"),
        ("[gate]\n[gate]", "FILE:2: gate is set twice; it stands on line 1 too"),
        ("a = [1,\n2\n]\nstep ==", "FILE:4: not valid TOML: Invalid value"),
        ("step = 1\nx = [", "FILE:2: not valid TOML: Invalid value (at end of docum"),
        ("step = 1\n# \udcff", "FILE:2: not valid TOML: byte 0xff is not UTF-8; save"),
    ],
)
def test_what_is_wrong_in_the_file_is_named_with_its_line(
    file: Path, text: str, said: str
) -> None:
    assert refusal(file, text).startswith(said)


@pytest.mark.parametrize(
    ("variables", "flags", "said"),
    [
        ({"SER_STREAM_RATE": "x"}, {}, "SER_STREAM_RATE: rate is 'x'; it must be a w"),
        ({"SER_STREAM_RATE": "3"}, {}, "SER_STREAM_RATE: rate is 3 Hz; allowed: 100"),
        ({"SER_STREAM_WAIT": "maybe"}, {}, "SER_STREAM_WAIT: wait is 'maybe'; it mus"),
        ({"SER_STREAM_SMOOTHING_ENTER": "2"}, {}, "SER_STREAM_SMOOTHING_ENTER: enter"),
        ({}, {"rate": 3}, "--rate: rate is 3 Hz; allowed: 1000 to 768000"),
        ({}, {"on_emotion_every_s": -1}, "--on-emotion-every: on_emotion_every_s is"),
        ({}, {"gate.enter": 2.0}, "--set gate.enter: gate thresholds must satisfy"),
        ({}, {"to": ["nowhere"]}, "--to: unknown address 'nowhere'; allowed are"),
    ],
)
def test_a_wrong_variable_or_flag_is_named(
    file: Path, variables: dict[str, str], flags: dict[str, Any], said: str
) -> None:
    text = "# all is well here\nchannels = 1\n"
    assert refusal(file, text, variables, flags).startswith(said)


def test_of_two_that_do_not_go_together_one_is_named(file: Path) -> None:
    said = refusal(file, "[smoothing]\nenter = 0.1\nexit = 0.5")
    assert said == "FILE:2: exit (0.5) must not be above enter (0.1)"
    said = refusal(file, "pace = 'fast'", flags={"input": "mic:USB"})
    assert said.startswith("FILE:1: pace is fast, but a microphone has no pace")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path, reason in (
        (tmp_path / "none.toml", "No such file or directory"),
        (tmp_path, "Is a directory"),
    ):
        with pytest.raises(ConfigError) as caught:
            resolve(path, {})
        assert str(caught.value) == f"cannot read {path}: {reason}"


def test_the_user_s_own_file_is_read_or_else_the_system_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system, own = tmp_path / "etc.toml", tmp_path / "ser-stream" / "config.toml"
    monkeypatch.setattr("ser_stream.config.toml_file.SYSTEM_FILE", system)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert chosen_path() is None
    # Nobody says, so the model does.
    assert build_config(None, {}, environment={}).step_s is None
    system.write_text("step = 0.3")
    assert resolve(None, {}, environment={})["step"].origin == f"{system}:1"
    own.parent.mkdir()
    own.write_text("window = 2")
    found = resolve(None, {}, environment={})
    assert (found.file, found.config.step_s) == (own, None)
    # A link to nowhere is a mistake, and no absent file.
    own.unlink()
    own.symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"cannot read .*No such file"):
        resolve(None, {})
    with pytest.raises(ConfigError, match=r"cannot read .*No such file"):
        build_config(own, {}, begin=True)
    assert build_config(tmp_path / "new.toml", {}, begin=True).step_s is None


def test_a_reload_tells_what_changed_and_what_waits_for_a_restart(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in KEYS.values():
        monkeypatch.delenv(name.variable, raising=False)
    file.write_text('step = 0.3\nto = ["stdout:"]\n[smoothing]\nenter = 0.5\n')
    old = resolve(file, {"window": 2.0})
    assert old.changes(old.reload()) == []
    # Lines move, and a comment comes: nothing has changed.
    file.write_text('# x\n\nstep = 0.3\nto = ["stdout:"]\n[smoothing]\nenter = 0.5\n')
    assert old.changes(old.reload()) == []
    file.write_text(
        'step = 0.4\nwindow = 1\nto = ["unix:///a"]\nmodel = "research"\nmetrics = ""\n'
    )
    monkeypatch.setenv("SER_STREAM_GATE_ENTER", "0.6")
    new = old.reload()
    assert new.config.window_s == 2.0
    changes = {change.name: change for change in old.changes(new)}
    assert {name: change.live for name, change in changes.items()} == {
        "model": True,
        "step": True,
        "to": False,
        "gate.enter": True,
        "smoothing.enter": True,
    }
    assert changes["step"].old.value == 0.3
    assert changes["step"].new.origin == f"{file}:1"
    file.write_text("step = 'x'")
    with pytest.raises(ConfigError, match=":1: step is 'x'"):
        old.reload()
    assert old.config.step_s == 0.3


def test_what_turns_out_to_be_wrong_later_is_named_too(file: Path) -> None:
    found = settings(file, "step = 0.3\n[smoothing]\nenter = 0.2\n")

    def build(config: Any) -> SmoothingConfig:
        return SmoothingConfig(**{"exit": 0.25, **(config.smoothing or {})})

    with pytest.raises(ConfigError) as caught:
        found.located(build)
    assert str(caught.value) == f"{file}:3: exit (0.25) must not be above enter (0.2)"
    assert found.located(lambda config: config.step_s) == 0.3


@pytest.mark.parametrize(
    ("to", "systemd", "wait", "waits"),
    [
        (["stdout:"], False, None, False),
        (["stdout:", "unix:///a"], False, None, True),
        (["stdout:"], True, None, True),
        (["unix:///a"], True, False, False),
        (["stdout:"], False, True, True),
    ],
)
def test_a_service_waits_for_its_microphone_and_a_terminal_does_not(
    file: Path, to: list[str], systemd: bool, wait: bool | None, waits: bool
) -> None:
    config = settings(file, to=to, wait=wait).config
    assert config.waits(service=config.serves or systemd) is waits


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('scope = "half"', "FILE:2: adapt.scope is 'half'; allowed: whole, cheap"),
        ("every_s = 1", "FILE:2: adapt.every_s is 1; allowed: 10 to 86400 s of speech"),
        ("enabled = 1", "FILE:2: adapt.enabled is 1; it must be true or false"),
        (
            "evry_s = 60",
            "FILE:2: unknown key 'evry_s' in [adapt]; did you mean every_s?",
        ),
    ],
)
def test_a_wrong_setting_of_adaptation_is_refused_with_its_line(
    file: Path, text: str, said: str
) -> None:
    assert refusal(file, f"[adapt]\n{text}\n") == said


def test_adaptation_has_a_flag_beside_its_keys(file: Path) -> None:
    text = "[adapt]\nenabled = true\nscope = 'cheap'\n"
    file.write_text(text)
    off = resolve(file, {"adapt.enabled": False}, environment={})
    assert not off.config.adapt.enabled
    assert off["adapt.enabled"].origin == "--no-adapt"
    on = resolve(file, {"adapt.enabled": True}, environment={})
    assert on["adapt.enabled"].origin == "--adapt"
    # Without either, nothing of the model or of the input is touched.
    assert not settings(file).config.adapt.enabled
    assert off.changes(settings(file, text))[0].live is False


def test_a_command_is_split_into_words_and_only_its_home_is_expanded(
    file: Path,
) -> None:
    found = settings(file, on_emotion="~/bin/tell 'a b' $HOME *; ~").config
    home = os.environ.get("HOME", "/root")
    assert found.command == (f"{home}/bin/tell", "a b", "$HOME", "*;", "~")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gate.enter", "allowed: TABLE.KEY=VALUE"),
        ("gate.entr=1", "unknown key 'gate.entr'; did you mean gate.enter?"),
        ("step=1", "step has a flag of its own, --step"),
        ("gate.enter=x", "gate.enter is 'x'; it must be a number"),
    ],
)
def test_an_assignment_that_is_none_is_refused(text: str, said: str) -> None:
    assert parse_assignment("gate.max_pause_s = 1") == ("gate.max_pause_s", 1.0)
    with pytest.raises(ConfigError) as caught:
        parse_assignment(text)
    assert str(caught.value) == f"--set {text}: {said}"


def test_inputs_may_be_a_list_in_the_file_in_a_variable_and_by_flags(
    file: Path,
) -> None:
    text = 'input = ["desk=mic:USB", "mic"]\nrate = 8000\n'
    variables = {"SER_STREAM_INPUT": "['a b.wav', \"x=-\"]"}
    given = {
        ("desk", "mic"): settings(file, text),
        ("a-b", "x"): settings(file, text, variables),
        ("c", "mic"): settings(file, text, variables, input=["c=c,d.wav", "mic"]),
    }
    for names, found in given.items():
        assert tuple(found.config.sources) == names
        assert {source.rate for source in found.config.sources.values()} == {8000}
        assert found.config.several
    assert given["desk", "mic"]["input"].value == ("desk=mic:USB", "mic")
    # A list of one is that one, and a name is not part of the source.
    for one in (
        settings(file, "input = ['mic:A b']"),
        settings(file, input=["mic:A b"]),
    ):
        assert (one["input"].value, one.config.several) == ("mic:A b", False)
    assert settings(file, "input = 'x=mic:A'").config.source.input == "mic:A"
    # No list: the name of a file.
    odd = settings(file, "", {"SER_STREAM_INPUT": "[a, b].wav"})
    assert odd["input"].value == "[a, b].wav"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("input = []", "FILE:1: input is []; it must be a string or a list of strings"),
        ("input = ['mic', 3]", "it must be a string or a list of strings"),
        ("input = ['a=mic', 'a=mic']", "FILE:1: two inputs are called a"),
        ("pace = 'fast'\ninput = ['x.wav', 'mic']", "no pace but real time"),
        ("input = ['x', 'y']\n[adapt]\nenabled = true", "adapt is for one input"),
        ("channel = 'each'\n[adapt]\nenabled = true", "adapt is for one input"),
    ],
)
def test_inputs_that_cannot_be_are_refused(
    file: Path, text: str, complaint: str
) -> None:
    assert complaint in refusal(file, text)


def test_a_bad_token_is_no_settings_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SER_STREAM_TOKEN", "short")
    found = resolve(None, {"step": 0.4}, environment={"SER_STREAM_WINDOW": "3"})
    with pytest.raises(ConfigError, match=r"^SER_STREAM_TOKEN holds no token"):
        found.located(lambda config: read_token(config.token_file))
