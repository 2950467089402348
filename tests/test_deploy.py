"""What `deploy/` holds is what Compose, Kubernetes and NATS take, and we too."""

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ser_stream.config.serve import ServeConfig
from tests.helpers.brokers import free_port, needs_nats, server_path
from tests.helpers.paths import ROOT

DEPLOY = ROOT / "deploy"
KUBERNETES = "1.31"


def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))


def flags(command: list[str]) -> dict[str, str]:
    """`serve --listen URI --max-streams N` -> by flag."""
    assert command[0] == "serve"
    return dict(zip(command[1::2], command[2::2], strict=True))


def test_compose_is_of_its_schema() -> None:
    checker = Path(sys.executable).with_name("check-jsonschema")
    if not checker.exists():
        pytest.skip("needs check-jsonschema")
    schema = ("--builtin-schema", "vendor.compose-spec")
    done = subprocess.run(
        [checker, *schema, DEPLOY / "compose.yaml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_manifest_is_of_the_schema_of_kubernetes() -> None:
    validate = pytest.importorskip("kubernetes_validate").validate
    kinds = [manifest["kind"] for manifest in manifests()]
    assert kinds.count("Deployment") == 2
    for manifest in manifests():
        # Strict: a field that is not known is an error.
        validate(manifest, KUBERNETES, strict=True)


def test_both_start_workers_with_settings_that_hold() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    (worker,) = (
        manifest["spec"]["template"]["spec"]["containers"][0]
        for manifest in manifests()
        if manifest["metadata"]["name"] == "ser-stream-worker"
        and manifest["kind"] == "Deployment"
    )
    for command in (compose["services"]["worker"]["command"], worker["args"]):
        found = flags(command)
        ServeConfig((found["--listen"],), max_streams=int(found["--max-streams"]))


@needs_nats
def test_nats_takes_its_settings() -> None:
    """Both of them: they are to be the same."""
    program = server_path("nats-server")
    (config,) = (m for m in manifests() if m["kind"] == "ConfigMap")
    lines = [
        line.split("#")[0].strip()
        for line in (DEPLOY / "nats.conf").read_text().splitlines()
    ]
    assert [line for line in lines if line] == config["data"]["nats.conf"].splitlines()
    done = subprocess.run(
        shlex.split(f"{program} -t -c {DEPLOY / 'nats.conf'} -p {free_port()}"),
        env={"NATS_TOKEN": "t"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
