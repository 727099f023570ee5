"""The files in deploy/ are what the programs that read them accept, and name what Vidi has."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from starlette.testclient import TestClient

from bench.backing import go_program
from vidi.app import create_app
from vidi.settings import PREFIX, Settings

DEPLOY = Path(__file__).parent.parent / "deploy"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
VERSIONS = ["1.34", "1.37"]
COMPOSE_GO = "github.com/compose-spec/compose-go/v2/cmd@v2.16.2"


def resources() -> Iterator[dict[str, Any]]:
    for file in MANIFESTS:
        yield from yaml.safe_load_all(file.read_text())


def resource(kind: str) -> dict[str, Any]:
    (found,) = (each for each in resources() if each["kind"] == kind)
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_manifests_satisfy_kubernetes_schemas(version: str) -> None:
    kinds = []
    for each in resources():
        kubernetes_validate.validate(each, version, strict=True)
        kinds.append(each["kind"])
    assert {"Deployment", "HorizontalPodAutoscaler", "NetworkPolicy", "Service"} <= set(kinds)


def test_a_misspelt_field_is_found() -> None:
    deployment = resource("Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, VERSIONS[-1], strict=True)


def test_every_setting_that_is_named_exists() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for file in [*MANIFESTS, *DEPLOY.glob("*")]:
        if file.is_file():
            named = set(re.findall(rf"\b{PREFIX}[A-Z_]+", file.read_text()))
            assert named <= known, file.name


def test_probes_and_metrics_are_served(settings: Settings) -> None:
    (container,) = resource("Deployment")["spec"]["template"]["spec"]["containers"]
    opened = settings.model_copy(update={"open_monitoring": True})
    with TestClient(create_app(opened), base_url="http://localhost") as client:
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert client.get(container[probe]["httpGet"]["path"]).status_code == 200
        metrics = client.get("/metrics").text
    for metric in resource("HorizontalPodAutoscaler")["spec"]["metrics"]:
        if metric["type"] == "Pods":
            assert f"\n{metric['pods']['metric']['name']}" in metrics


def test_a_gateway_has_time_to_end_in_peace() -> None:
    pod = resource("Deployment")["spec"]["template"]["spec"]
    pause = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    drain = Settings.model_fields["drain_seconds"].default
    assert pod["terminationGracePeriodSeconds"] > pause + drain
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    assert int(compose["x-gateway"]["stop_grace_period"].removesuffix("s")) > drain


def test_every_secret_of_compose_is_in_the_example() -> None:
    asked = set(re.findall(r"\$\{(\w+):\?\}", (DEPLOY / "compose.yaml").read_text()))
    given = set(re.findall(r"^(\w+)=$", (DEPLOY / "example.env").read_text(), flags=re.MULTILINE))
    assert asked == given


def test_the_image_runs_without_rights_keeps_one_volume_and_tells_its_health() -> None:
    lines = re.findall(r"^([A-Z]+) (.*)$", (DEPLOY / "Containerfile").read_text(), flags=re.MULTILINE)
    assert [what for word, what in lines if word == "USER"] == ["10001"]
    assert [what for word, what in lines if word == "VOLUME"] == ["/data"]
    (health,) = (what for word, what in lines if word == "HEALTHCHECK")
    assert health.startswith("--interval")
    assert "/health" in (DEPLOY / "Containerfile").read_text()
    parts = re.findall(r'PARTS="([a-z ]+)"', (DEPLOY / "Containerfile").read_text())[0].split()
    assert all((DEPLOY.parent / "requirements" / f"{part}.txt").is_file() for part in ["build", *parts])
    (service,) = yaml.safe_load((DEPLOY / "single.yaml").read_text())["services"].values()
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["volumes"] == ["data:/data"]
    assert (
        int(service["stop_grace_period"].removesuffix("s")) > Settings.model_fields["drain_seconds"].default
    )


@pytest.mark.slow
def test_compose_reads_its_file(tmp_path: Path) -> None:
    program = go_program(COMPOSE_GO, "compose-go")
    if program is None:
        pytest.skip("needs Go, which builds Compose's own reader")
    folder = shutil.copytree(DEPLOY, tmp_path / "deploy")

    def read(file: str = "compose.yaml") -> subprocess.CompletedProcess[str]:
        command = [program, "-no-interpolation", file]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)

    good = read()
    assert good.returncode == 0, good.stderr
    services = yaml.safe_load(good.stdout)["services"]
    assert {"gateway-1", "gateway-2", "postgres", "s3", "vllm", "nginx"} <= services.keys()
    assert read("single.yaml").returncode == 0
    broken = (folder / "compose.yaml").read_text().replace("stop_grace_period", "stop_grace_periods")
    (folder / "compose.yaml").write_text(broken)
    assert read().returncode != 0


def test_nginx_reads_its_file(tmp_path: Path) -> None:
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        pytest.skip("needs nginx: apt-get install nginx")
    config = (DEPLOY / "nginx.conf").read_text()
    config = re.sub(r"gateway-\d:8484", "127.0.0.1:9", config).replace("/dev/stdout", f"{tmp_path}/log")
    config = config.replace("listen 8484", f"listen unix:{tmp_path}/socket")
    (tmp_path / "nginx.conf").write_text(config)
    command = [nginx, "-t", "-c", f"{tmp_path}/nginx.conf", "-e", f"{tmp_path}/errors"]
    read = subprocess.run(
        [*command, "-g", f"pid {tmp_path}/pid;"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
    assert read.returncode == 0, read.stderr
