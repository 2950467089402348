"""`ser-stream model list` and `use`: which bundles there are, and the default."""

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from ser_stream.pipeline.bundle import MANIFEST, load_bundle, sealed
from ser_stream.pipeline.bundle_evidence import read_evidence, write_evidence
from ser_stream.pipeline.geometry import CPAC
from tests.helpers.paths import DATA, OPEN, PACKAGED
from tests.helpers.program import ENVIRONMENT, error_line, messages, run

CLIP = DATA / "15a02Ac.flac"


class Home:
    """A home of one's own: a configuration and bundles."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "config" / "ser-stream" / "config.toml"
        self.models = folder / "data" / "ser-stream" / "models"
        self.environment = {
            **ENVIRONMENT,
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_DATA_HOME": str(folder / "data"),
        }

    def run(self, *arguments: str | Path) -> Any:
        return run(*arguments, environment=self.environment)

    def add(self, name: str, **changes: object) -> Path:
        """Copy the packaged bundle and say something else in its manifest."""
        return build(self.models / name, name=name, **changes)

    def listed(self) -> dict[str, dict[str, Any]]:
        done = self.run("model", "list", "--json")
        assert done.returncode == 0, done.stderr
        return {row["name"]: row for row in json.loads(done.stdout)}

    @property
    def heard_with(self) -> str:
        """The model that `listen` takes when none is named."""
        said = messages(self.run("listen", "--pace", "fast", "--input", CLIP).stdout)
        name: str = said[0]["model"]["name"]
        return name


def build(folder: Path, **changes: object) -> Path:
    """Copy the packaged bundle; change its manifest, and metrics in its evidence."""
    shutil.copytree(OPEN, folder)
    metrics = {key: changes.pop(key) for key in ("metrics",) if key in changes}
    manifest = json.loads((folder / MANIFEST).read_text()) | changes
    (folder / MANIFEST).write_text(json.dumps(sealed(manifest)))
    if metrics:
        bundle = load_bundle(str(folder))
        write_evidence(bundle, read_evidence(bundle) | metrics)
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


RESEARCH = {
    "licence": "CC-BY-NC-SA-4.0",
    "corpora": [
        {"name": "EmoDB", "licence": "CC0-1.0", "any_use": True},
        {"name": "RAVDESS", "licence": "CC BY-NC-SA 4.0", "any_use": False},
    ],
    "metrics": {"protocol": "leave-speakers-out", "UAR": 61.25},
}


def test_the_packaged_models_are_listed_and_open_is_the_default(home: Home) -> None:
    rows = home.listed()
    assert tuple(rows) == PACKAGED
    row = rows["open"]
    assert not rows["research"]["commercial_use"]
    assert not rows["research"]["default"]
    manifest = json.loads((OPEN / MANIFEST).read_text())
    evidence = read_evidence(load_bundle("open"))
    assert row == {
        "name": "open",
        "default": True,
        "folder": str(OPEN),
        "model": "open",
        "licence": manifest["licence"],
        "commercial_use": True,
        "labels": manifest["labels"],
        "uar": evidence["metrics"]["UAR"],
        "protocol": evidence["metrics"]["protocol"],
        "sha256": manifest["sha256"],
        "adapted": None,
        "error": None,
    }
    assert not home.config.exists()


def test_a_bundle_among_the_users_own_has_its_folders_name_everywhere(
    home: Home,
) -> None:
    folder = home.add("mine", **RESEARCH)
    row = home.listed()["mine"]
    assert row["folder"] == str(folder)
    assert row["uar"] == 61.25
    assert not row["default"]
    assert not row["commercial_use"]
    assert str(folder) in home.run("model", "verify", "mine").stdout.decode()
    for command in (("listen", "--pace", "fast", "--input"), ("recognize",)):
        done = home.run(*command, CLIP, "--model", "mine")
        assert done.returncode == 0
    text = home.run("model", "list").stdout.decode()
    assert "*  open" in text
    assert "   mine      61.2   CC-BY-NC-SA-4.0" in text


def test_no_folder_stands_in_for_the_packaged_model(home: Home) -> None:
    home.add("open", licence="none")
    rows = home.listed()
    assert tuple(rows) == PACKAGED
    assert rows["open"]["folder"] == str(OPEN)
    assert str(OPEN) in home.run("model", "verify", "open").stdout.decode()


def test_terms_are_told_when_a_models_use_begins(home: Home) -> None:
    told = (
        "model research is NOT for commercial use, as RAVDESS and EmoTale it was "
        "trained on"
    )
    for command in (("listen", "--pace", "fast", "--input"), ("recognize",)):
        log = home.run(*command, CLIP, "--model", "research").stderr.decode()
        assert log.count(told) == 1
        assert "commercial" not in home.run(*command, CLIP).stderr.decode()


def test_a_broken_bundle_is_listed_with_its_reason(home: Home) -> None:
    (home.add("broken") / "head.onnx").unlink()
    (home.models / "empty").mkdir()
    (home.models / "notes.txt").write_text("no folder")
    rows = home.listed()
    assert set(rows) == {*PACKAGED, "broken", "empty"}
    assert "head.onnx is missing" in rows["broken"]["error"]
    assert "is not a bundle" in rows["empty"]["error"]
    assert rows["broken"]["labels"] is None
    text = home.run("model", "list").stdout.decode()
    assert "broken  cannot be used: " in text


def test_use_makes_a_name_the_default_of_every_command(home: Home) -> None:
    folder = home.add("mine", **RESEARCH)
    assert home.heard_with == "open"
    done = home.run("model", "use", "mine")
    assert done.returncode == 0
    said = done.stdout.decode()
    assert f"mine is the default now: {home.config} says so" in said
    assert "NOT for commercial use, as RAVDESS it was trained on" in said
    assert "undo: ser-stream model use open\n" in said
    assert home.config.read_text() == 'model = "mine"\n'
    assert home.heard_with == "mine"
    assert home.listed()["mine"]["default"]
    assert not home.listed()["open"]["default"]
    for command in ("show", "verify"):
        assert str(folder) in home.run("model", command).stdout.decode()
    timed = home.run("bench", "--seconds", "5", "--json")
    assert json.loads(timed.stdout)["model"] == "mine"
    # A flag still wins, and `open` is a command away.
    assert str(OPEN) in home.run("model", "show", "open").stdout.decode()
    assert home.run("model", "use", "open").returncode == 0
    assert home.heard_with == "open"


def test_recognize_uses_the_default_too(home: Home) -> None:
    labels = ["a", "b", "c", "d", "e"]
    home.add("mine", labels=labels)
    home.run("model", "use", "mine")
    (row,) = messages(home.run("recognize", CLIP).stdout)
    assert list(row["scores"]) == labels


def test_use_keeps_the_rest_of_the_file_and_names_the_former_default(
    home: Home, tmp_path: Path
) -> None:
    home.add("mine")
    home.add("other")
    config = tmp_path / "my.toml"
    config.write_text('# mine\nmodel = "mine" # best\n[gate]\nmax_pause_s = 1.0\n')
    done = home.run("model", "use", "other", "--config", config)
    text = config.read_text()
    assert text == '# mine\nmodel = "other" # best\n[gate]\nmax_pause_s = 1.0\n'
    undo = f"undo: ser-stream model use mine --config {config}"
    assert undo in done.stdout.decode()
    assert not home.config.exists()


def test_a_folder_is_written_with_its_whole_path(home: Home, tmp_path: Path) -> None:
    folder = build(tmp_path / "built", name="built")
    assert home.run("model", "use", tmp_path / "x" / ".." / "built").returncode == 4
    assert home.run("model", "use", folder).returncode == 0
    assert home.config.read_text() == f'model = "{folder}"\n'
    assert home.heard_with == "built"
    # It has no name, but the list has it, since it is the default.
    rows = home.listed()
    assert rows[str(folder)]["default"]
    assert rows[str(folder)]["model"] == "built"
    # A folder that has a name is written by it.
    home.run("model", "use", home.add("mine"))
    assert home.config.read_text() == 'model = "mine"\n'


def test_the_default_again_changes_nothing(home: Home) -> None:
    done = home.run("model", "use", "open")
    assert "open is the default already; nothing was changed" in done.stdout.decode()
    assert not home.config.exists()


@pytest.mark.parametrize("damage", ["missing", "changed", "unknown", "graphs"])
def test_a_model_that_is_not_whole_does_not_become_the_default(
    home: Home, damage: str
) -> None:
    folder = home.add("mine", **({"labels": ["a", "b"]} if damage == "graphs" else {}))
    if damage == "missing":
        (folder / "encoder.onnx").unlink()
    elif damage == "changed":
        with (folder / "head.onnx").open("ab") as file:
            file.write(b"other")
    done = home.run("model", "use", "nonsense" if damage == "unknown" else "mine")
    assert done.returncode == 4
    assert error_line(done)
    assert not home.config.exists()


def test_a_name_that_is_nowhere_lists_those_that_are(home: Home) -> None:
    home.add("mine")
    line = error_line(home.run("model", "use", "nonsense"))
    assert "there is no model 'nonsense'" in line
    assert f"({', '.join(PACKAGED)}, mine)" in line


def test_settings_that_the_model_would_not_start_with_are_said_before(
    home: Home,
) -> None:
    geometry = asdict(replace(CPAC, max_columns=5))
    home.add("short", temperatures=[1.0] * 5, geometry=geometry)
    home.config.parent.mkdir(parents=True)
    home.config.write_text("window = 2.0\n")
    done = home.run("model", "use", "short")
    assert done.returncode == 2
    assert "trained on windows of at most 0.9125 s" in error_line(done)
    assert home.config.read_text() == "window = 2.0\n"


def test_a_smoothing_of_ones_own_is_remembered(home: Home) -> None:
    home.add("mine")
    home.config.parent.mkdir(parents=True)
    home.config.write_text("[smoothing]\nenter = 0.6\n")
    done = home.run("model", "use", "mine")
    assert done.returncode == 0
    assert "[smoothing] of its own" in error_line(done)
    assert "chosen for model open" in error_line(done)


def test_a_default_that_has_gone_is_listed_as_broken_and_can_be_left(
    home: Home,
) -> None:
    home.config.parent.mkdir(parents=True)
    home.config.write_text('model = "gone"\n')
    rows = home.listed()
    assert rows["gone"]["default"]
    assert "there is no model 'gone'" in rows["gone"]["error"]
    assert home.run("listen", "--input", CLIP).returncode == 4
    assert home.run("model", "use", "open").returncode == 0
    assert home.heard_with == "open"


def test_a_configuration_that_is_no_good_is_said_so(home: Home) -> None:
    home.config.parent.mkdir(parents=True)
    home.config.write_text("model = [")
    for arguments in (("list",), ("use", "open"), ("show",)):
        done = home.run("model", *arguments)
        assert done.returncode == 2
        assert "not valid TOML" in error_line(done)
    # What is named needs no configuration.
    assert home.run("model", "show", "open").returncode == 0
