"""What each door of the package loads, each in a fresh process."""

import subprocess
import sys

import pytest

from tests.helpers.paths import MINUTE
from tests.helpers.program import ENVIRONMENT

TORCH_SIDE = ("torch", "onnx", "safetensors", "ser_stream.nn", "training", "export")
AUDIO = ("sounddevice", "soundfile", "soxr")
INSIDE = ("onnxruntime", "ser_stream.daemon", "ser_stream.sinks", "ser_stream.model")


def loaded(program: str, *arguments: str) -> set[str]:
    """Names of the modules that are there after a program has run."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"{program}\nimport sys\nprint(*sys.modules)",
            *arguments,
        ],
        capture_output=True,
        env=ENVIRONMENT,
        check=True,
        text=True,
    )
    assert done.stderr == ""
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("entry", "forbidden"),
    [
        ("ser_stream", ("numpy", *INSIDE, *AUDIO)),
        ("ser_stream.client", ("numpy", "ser_stream.sources", *INSIDE, *AUDIO)),
        ("ser_stream.client.aio", ("numpy", "ser_stream.sources", *INSIDE, *AUDIO)),
        ("ser_stream.protocol.address", ("numpy", "asyncio", *INSIDE)),
        ("ser_stream.sources", ("ser_stream.client", "asyncio", *INSIDE, *AUDIO)),
        ("ser_stream.sources.file", ("ser_stream.client", "sounddevice", *INSIDE)),
        (
            "ser_stream.sources.reconnecting_microphone",
            ("ser_stream.client", "sounddevice", "soundfile", *INSIDE),
        ),
        ("ser_stream.sinks", ("numpy", "ser_stream.sources", "onnxruntime")),
        ("ser_stream.pipeline", ("numpy", "ser_stream.sources", *INSIDE)),
        ("ser_stream.protocol.messages", ("ser_stream.client", *INSIDE, *AUDIO)),
        ("ser_stream.metrics", INSIDE),
        # The table of documents; each loads its library when it is asked for.
        (
            "ser_stream.commands.exports",
            ("numpy", "pysubs2", "praatio", "pympi", "pyarrow", *INSIDE, *AUDIO),
        ),
        (
            "ser_stream.cli.plot",
            ("numpy", "matplotlib", "ser_stream.commands.plot", "onnxruntime", *AUDIO),
        ),
        ("ser_stream.cli.watch", ("numpy", "textual", "rich", "onnxruntime", *AUDIO)),
        ("ser_stream.commands.watch", ("numpy", "textual", *INSIDE, *AUDIO)),
        ("ser_stream.cli.report", ("numpy", "ser_stream.commands.report", *AUDIO)),
        ("ser_stream.commands.report", ("numpy", "textual", *INSIDE, *AUDIO)),
        # The table of schemes is in `sinks`; what it names is not loaded.
        (
            "ser_stream.config",
            (
                "ser_stream.client",
                "ser_stream.sinks.stdout",
                "ser_stream.sinks.sockets",
                "ser_stream.daemon",
                "onnxruntime",
                "asyncio",
                *AUDIO,
            ),
        ),
        (
            "ser_stream.model",
            ("ser_stream.client", "ser_stream.config", "soundfile", *INSIDE[:-1]),
        ),
    ],
)
def test_an_import_loads_no_more_than_it_names(
    entry: str, forbidden: tuple[str, ...]
) -> None:
    found = loaded(f"import {entry}")
    assert entry in found
    assert (
        found & {*forbidden, *TORCH_SIDE, "prometheus_client", "http.server"} == set()
    )


def test_a_model_hears_without_the_daemon_and_without_torch() -> None:
    found = loaded(
        "import sys, ser_stream\nser_stream.load('open').recognize(sys.argv[1])",
        str(MINUTE),
    )
    heavy = {"librosa", "scipy", "sklearn", "pandas", "sympy", "matplotlib", "typer"}
    daemon = {"ser_stream.client", "ser_stream.daemon", "ser_stream.sinks"}
    assert "onnxruntime" in found
    assert found & {*TORCH_SIDE, *heavy, *daemon, "sounddevice", "asyncio"} == set()


def test_a_pack_is_verified_without_the_libraries_that_read_it() -> None:
    found = loaded(
        "from ser_stream.adaptation.pack import find_pack, load_pack\n"
        "from ser_stream.pipeline.bundle import load_bundle\n"
        "bundle = load_bundle('open')\n"
        "load_pack(find_pack(bundle), bundle)"
    )
    assert found & {*TORCH_SIDE} == set()
