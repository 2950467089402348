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
from tests.helpers.running_serve import running_serve
from tests.helpers.scraped import page

DEPLOY = ROOT / "deploy"
KUBERNETES = "1.31"


def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))


def kubernetes_worker() -> dict[str, Any]:
    (found,) = (
        manifest
        for manifest in manifests()
        if manifest["metadata"]["name"] == "ser-stream-worker"
        and manifest["kind"] == "Deployment"
    )
    return found


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
    (worker,) = kubernetes_worker()["spec"]["template"]["spec"]["containers"]
    for command in (compose["services"]["worker"]["command"], worker["args"]):
        found = flags(command)
        ServeConfig((found["--listen"],), max_streams=int(found["--max-streams"]))


def test_both_ask_workers_where_they_answer() -> None:
    """Figures and probes of a real worker, started as the files say."""
    pytest.importorskip("nats")
    pytest.importorskip("prometheus_client")
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    started = compose["services"]["worker"]
    pod = kubernetes_worker()["spec"]["template"]
    (worker,) = pod["spec"]["containers"]
    environment = {"SER_STREAM_TRUST_NETWORK": "true"}
    assert environment.items() <= started["environment"].items()
    assert environment == {
        one["name"]: one["value"] for one in worker["env"] if one["name"] in environment
    }
    addresses = {
        flags(command)["--metrics"] for command in (started["command"], worker["args"])
    }
    assert addresses == {"0.0.0.0:9470"}
    assert started["expose"] == ["9470"]
    assert worker["ports"] == [{"name": "metrics", "containerPort": 9470}]
    assert pod["metadata"]["annotations"]["prometheus.io/port"] == "9470"

    probes = [worker[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness")]
    assert {probe["path"] for probe in probes} == {"/healthz"}
    assert worker["readinessProbe"]["httpGet"]["path"] == "/readyz"
    port = free_port()
    metrics = ("--metrics", f"0.0.0.0:{port}")
    # NATS is not there: alive, and not ready.
    nats = f"nats://127.0.0.1:{free_port()}/fleet"
    with running_serve(*metrics, kinds=(), listen=(nats,), environment=environment):
        assert page(port, probes[0]["path"]).status == 200
        assert page(port, worker["readinessProbe"]["httpGet"]["path"]).status == 503
        program, *words = started["healthcheck"]["test"]
        assert program == "CMD"
        words[-1] = words[-1].replace(":9470/", f":{port}/")
        assert subprocess.run(words, check=False, timeout=60).returncode == 0
        words[-1] = words[-1].replace("/healthz", "/readyz")
        done = subprocess.run(words, check=False, timeout=60, capture_output=True)
        assert done.returncode == 1


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
