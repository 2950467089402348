"""`ser-stream config show`, `path` and `check`; and that every key is in the docs."""

import json
import os
import re
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

from ser_stream.commands.config import check
from ser_stream.config import KEYS, build_config
from ser_stream.config.listen import ListenConfig
from ser_stream.errors import SerStreamError
from ser_stream.pipeline.bundle import load_bundle
from tests.helpers.paths import MINUTE, ROOT
from tests.helpers.program import ENVIRONMENT, error_line, run

DOCS = ROOT / "docs" / "configuration.md"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def shown(file: Path, **variables: str) -> dict[str, dict[str, Any]]:
    done = run(
        "config",
        *("show", "--json", "--config", file),
        environment=ENVIRONMENT | variables,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    return {row["key"]: row for row in json.loads(done.stdout)}


def test_show_tells_where_each_value_came_from(file: Path) -> None:
    file.write_text(
        '# mine\nstep = 0.3\nto = ["stdout:", "unix:///a"]\n[smoothing]\nenter = 0.9\n'
    )
    rows = shown(file, SER_STREAM_WINDOW="2")
    assert list(rows) == list(KEYS)
    assert rows["step"] == {"key": "step", "value": 0.3, "from": f"{file}:2"}
    assert rows["window"]["from"] == "SER_STREAM_WINDOW"
    assert rows["to"]["value"] == ["stdout:", "unix:///a"]
    assert rows["channel"] == {"key": "channel", "value": "mix", "from": "default"}
    assert rows["pace"]["value"] == "realtime"
    assert rows["wait"] == {"key": "wait", "value": True, "from": "default"}
    assert rows["metrics"]["value"] is None
    assert rows["smoothing.enter"]["from"] == f"{file}:5"
    exit = rows["smoothing.exit"]
    assert exit["from"] == "model open"
    assert exit["value"] == load_bundle("open").thresholds.exit


def test_show_is_a_table(file: Path) -> None:
    file.write_text('on_emotion = "logger -t mood"\n')
    done = run("config", "show", "--config", file)
    assert done.returncode == 0
    lines = done.stdout.decode().splitlines()
    assert lines[0].split() == ["key", "value", "from"]
    assert len(lines) == 1 + len(KEYS)
    found = {line.split()[0]: re.split(r"\s{2,}", line) for line in lines}
    assert found["on_emotion"] == ["on_emotion", "logger -t mood", f"{file}:1"]
    assert found["metrics"] == ["metrics", "-", "default"]
    assert found["gate.max_pause_s"] == ["gate.max_pause_s", "0.6", "default"]


def test_show_without_a_model_shows_the_rest(file: Path) -> None:
    file.write_text('model = "nonsense"\n')
    done = run("config", "show", "--json", "--config", file)
    assert done.returncode == 0
    assert "there is no model 'nonsense'" in error_line(done)
    rows = {row["key"]: row for row in json.loads(done.stdout)}
    assert rows["smoothing.enter"]["value"] is None
    assert rows["smoothing.enter"]["from"] == "model nonsense"


def test_path_names_the_file_that_is_read_or_the_one_to_begin(tmp_path: Path) -> None:
    environment = ENVIRONMENT | {"XDG_CONFIG_HOME": str(tmp_path)}
    done = run("config", "path", environment=environment)
    path = tmp_path / "ser-stream" / "config.toml"
    system = Path("/etc/ser-stream/config.toml")
    assert done.stdout.decode() == f"{system if system.exists() else path}\n"
    path.parent.mkdir()
    path.touch()
    assert run("config", "path", environment=environment).stdout.decode() == f"{path}\n"


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        ("\nstepp = 1", 2, "FILE:2: unknown key 'stepp'; did you mean step?"),
        ("[smoothing]\n\nexit = 0.9", 2, "FILE:3: exit (0.9)"),
        ("on_emotion = 'nonsense-x'", 2, "FILE:1: on_emotion: there is no command"),
        ("# x\ntoken_file = '/nonexistent'", 2, "FILE:2: cannot read token_file"),
        ("model = 'nonsense'", 4, "there is no model 'nonsense'"),
    ],
)
def test_check_finds_what_is_wrong(
    file: Path, text: str, status: int, said: str
) -> None:
    file.write_text(text)
    with pytest.raises(SerStreamError) as caught:
        check(file)
    assert caught.value.exit_status == status
    assert said in str(caught.value).replace(str(file), "FILE")


@pytest.mark.parametrize(
    ("text", "variables", "said"),
    [
        ('to = ["tcp://0.0.0.0:8000"]', {}, "without a token: token_file in the file"),
        ('to = ["ws://[::]:8000"]', {}, "without a token"),
        ('to = ["wyoming://0.0.0.0:1"]', {}, "without trust_network = true"),
        ('to = ["tcp://0.0.0.0:8000"]', {"SER_STREAM_TOKEN": "a" * 16}, ""),
        ('to = ["tcp://127.0.0.1:8000", "ws://localhost:8001"]', {}, ""),
        ('trust_network = true\nto = ["wyoming://0.0.0.0:1"]', {}, ""),
    ],
)
def test_check_tells_of_an_address_that_wants_a_token(
    file: Path, text: str, variables: dict[str, str], said: str
) -> None:
    file.write_text(text)
    done = run("config", "check", file, environment=ENVIRONMENT | variables)
    # The service may have the token from its own environment.
    assert done.returncode == 0
    else_ = "nothing else is wrong" if said else "nothing is wrong"
    assert done.stdout.decode() == f"{file}: {else_}\n"
    if said:
        assert f"{file}:1: other machines may reach" in error_line(done)
        assert said in error_line(done)
    else:
        assert done.stderr == b""


def test_check_tells_the_same_of_an_address_of_serve(file: Path) -> None:
    file.write_text('[serve]\nlisten = ["tcp://0.0.0.0:8000"]\n')
    done = run("config", "check", file)
    assert f"{file}:2: other machines may reach" in error_line(done)
    assert "in which `serve` runs" in error_line(done)


def test_check_is_of_the_file_alone_or_else_of_all(file: Path) -> None:
    file.write_text("step = 0.3\n")
    environment = ENVIRONMENT | {"SER_STREAM_STEP": "9"}
    done = run("config", "check", file, environment=environment)
    assert done.stdout.decode() == f"{file}: nothing is wrong\n"
    done = run("config", "check", environment=environment)
    assert done.returncode == 2
    assert "SER_STREAM_STEP: step is 9 s" in error_line(done)


@pytest.mark.parametrize(
    ("text", "flags", "said"),
    [
        ("# x\n[gate]\nentr = 1", (), "FILE:3: unknown key 'entr' in [gate]; did you"),
        ("", ("--set", "gate.enter=7"), "--set gate.enter: gate thresholds must"),
        ("", ("--to", "unix:///" + "x" * 108), "--to: address unix:///xxx"),
        ("\udcff", (), "FILE:1: not valid TOML: byte 0xff is not UTF-8"),
    ],
)
def test_listen_names_the_line_or_the_flag(
    file: Path, text: str, flags: tuple[str, ...], said: str
) -> None:
    file.write_bytes(os.fsencode(text))
    done = run("listen", "--input", MINUTE, "--config", file, *flags)
    assert done.returncode == 2
    assert said in error_line(done).replace(str(file), "FILE")
    assert done.stdout == b""


def test_every_key_is_in_the_docs_with_its_flag_variable_and_default() -> None:
    text = DOCS.read_text(encoding="utf-8")
    built_in = build_config(Path(os.devnull), {}, environment={})
    assert built_in == ListenConfig()
    for name, key in KEYS.items():
        item = name.rpartition(".")[2]
        (row,) = [
            line
            for line in text.splitlines()
            if line.startswith(f"| `{item}`") and f"`{key.variable}`" in line
        ]
        if not key.table:
            assert f"`{key.flag}`" in row
            assert row.endswith(f"| {'yes' if key.live else 'no'} |")
        else:
            assert key.live is (key.table not in ("adapt", "broker", "serve"))
        value = None
        if key.table != "smoothing":
            value = attrgetter(key.attribute)(built_in)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            assert f"| `{json.dumps(value)}` |" in row, name


def test_the_example_in_the_docs_is_right(file: Path) -> None:
    text = DOCS.read_text(encoding="utf-8")
    examples = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        file.write_text(example)
        build_config(file, {}, environment={})
