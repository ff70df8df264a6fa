"""What is in deploy/ fits the published schemas, agrees with itself, and names settings that exist."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from io import BytesIO
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml
from dockerfile_parse import DockerfileParser  # type: ignore[import-untyped]
from pydantic import ValidationError

from agent_runtime import __version__
from agent_runtime.cli.run import DEADLINE_GRACE_SECONDS
from agent_runtime.config import Settings, load_settings
from agent_runtime.toolbox.sandbox.launch import DANGEROUS_CALLS
from agent_runtime.web.settings import WebSettings
from agent_runtime.worker import POOL_LIMIT
from tests.unit.deploy_models import Component, Kustomization, ScaledObject, SeccompProfile, TriggerAuthentication

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
BUBBLEWRAP = KUBERNETES / "components" / "bubblewrap"
# The oldest with what the bubblewrap component needs, and the newest whose schema the package carries.
KUBERNETES_VERSIONS = ("1.33", "1.37")
OWN_KINDS = ("deployment", "namespace", "networkpolicy", "poddisruptionbudget", "secret.example", "serviceaccount")
NAMESPACE_CALLS = {"clone", "clone3", "unshare", "setns", "mount", "umount2", "pivot_root", "chroot"}


def manifest(name: str, folder: Path = KUBERNETES) -> dict[str, Any]:
    (document,) = yaml.safe_load_all((folder / f"{name}.yaml").read_text())
    assert isinstance(document, dict)
    return document


def compose_worker() -> dict[str, Any]:
    worker: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["worker"]
    return worker


def pod() -> dict[str, Any]:
    spec: dict[str, Any] = manifest("deployment")["spec"]["template"]["spec"]
    return spec


def instructions(name: str) -> list[str]:
    """The values of each instruction of that name, in order."""
    text = (DEPLOY / "Dockerfile").read_bytes()
    structure = DockerfileParser(fileobj=BytesIO(text)).structure
    return [step["value"] for step in structure if step["instruction"] == name]


def example_environment() -> dict[str, str]:
    lines = (DEPLOY / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def image_environment() -> dict[str, str]:
    return dict(re.findall(r'(\w+)="([^"]*)"', " ".join(instructions("ENV"))))


def pod_environment() -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in pod()["containers"][0]["env"]}


def merged(base: Any, patch: Any) -> Any:
    """What a strategic merge makes of the two; lists are of objects with names."""
    if isinstance(base, dict) and isinstance(patch, dict):
        return {**base, **{key: merged(base.get(key), value) for key, value in patch.items()}}
    if isinstance(base, list) and isinstance(patch, list):
        patches = {item["name"]: item for item in patch}
        assert patches.keys() <= {item["name"] for item in base}
        return [merged(item, patches.get(item["name"], {})) for item in base]
    return patch


def check_compose(path: Path) -> subprocess.CompletedProcess[str]:
    """Against the schema of the Compose Specification, as the package carries it."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


# Schemas


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
@pytest.mark.parametrize("name", OWN_KINDS)
def test_a_manifest_fits_the_schema_of_kubernetes(name: str, version: str) -> None:
    kubernetes_validate.validate(manifest(name), version, strict=True)


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
def test_what_the_bubblewrap_component_makes_of_them_fits_it_too(version: str) -> None:
    component = Component.model_validate(manifest("kustomization", BUBBLEWRAP))
    names = [Path(patch.path).stem for patch in component.patches]
    assert sorted(names) == ["deployment", "namespace"]
    for name in names:
        base, patch = manifest(name), manifest(name, BUBBLEWRAP)
        assert patch["metadata"]["name"] == base["metadata"]["name"]
        kubernetes_validate.validate(merged(base, patch), version, strict=True)


def test_a_misspelt_field_of_a_manifest_is_noticed() -> None:
    wrong = merged(manifest("deployment"), {"spec": {"template": {"spec": {"terminationGraceSeconds": 30}}}})
    with pytest.raises(kubernetes_validate.ValidationError, match="terminationGraceSeconds"):
        kubernetes_validate.validate(wrong, KUBERNETES_VERSIONS[-1], strict=True)


def test_the_scaled_object_is_one_that_keda_documents() -> None:
    scaled = ScaledObject.model_validate(manifest("scaledobject"))
    TriggerAuthentication.model_validate(manifest("triggerauthentication"))
    assert scaled.spec.minReplicaCount <= scaled.spec.maxReplicaCount

    assert scaled.spec.advanced is not None
    config = scaled.spec.advanced.horizontalPodAutoscalerConfig
    assert config is not None
    autoscaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": scaled.metadata.name},
        "spec": {
            "scaleTargetRef": scaled.spec.scaleTargetRef.model_dump(),
            "maxReplicas": scaled.spec.maxReplicaCount,
            "behavior": config.behavior,
        },
    }
    for version in KUBERNETES_VERSIONS:
        kubernetes_validate.validate(autoscaler, version, strict=True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"spec": {"pollingIntervall": 15}},
        {"spec": {"minReplicaCount": "1"}},
        {"apiVersion": "keda.sh/v1"},
        {"metadata": {"name": "Not A Name"}},
    ],
)
def test_a_wrong_scaled_object_is_noticed(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ScaledObject.model_validate(merged(manifest("scaledobject"), wrong))


def test_the_kustomization_names_each_manifest_once() -> None:
    kustomization = Kustomization.model_validate(manifest("kustomization"))
    files = {path.name for path in KUBERNETES.glob("*.yaml")} - {"kustomization.yaml", "secret.example.yaml"}
    assert sorted(kustomization.resources) == sorted(files)
    assert kustomization.namespace == manifest("namespace")["metadata"]["name"]
    # It is named in a comment, to be switched on.
    assert f"- {BUBBLEWRAP.relative_to(KUBERNETES)}" in (KUBERNETES / "kustomization.yaml").read_text()


def test_the_compose_file_fits_the_compose_specification(tmp_path: Path) -> None:
    checked = check_compose(DEPLOY / "compose.yaml")
    assert checked.returncode == 0, checked.stdout + checked.stderr

    wrong = tmp_path / "compose.yaml"
    wrong.write_text((DEPLOY / "compose.yaml").read_text().replace("stop_grace_period:", "stop_grace:"))
    refused = check_compose(wrong)
    assert refused.returncode == 1
    assert "stop_grace" in refused.stdout


# The image


def test_the_image_runs_the_worker_as_nobody_in_particular() -> None:
    user = instructions("USER")[-1]
    uid, gid = (int(part) for part in user.split(":"))
    assert uid > 0 and gid > 0
    assert f"--uid {uid} " in " ".join(instructions("RUN"))
    context = pod()["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"], context["fsGroup"]) == (uid, gid, gid)
    assert context["runAsNonRoot"] is True


def test_sigterm_reaches_the_worker() -> None:
    # In the exec form: a shell between them would keep the signal for itself.
    (entrypoint,), (command,) = instructions("ENTRYPOINT"), instructions("CMD")
    assert json.loads(entrypoint) == ["tini", "--", "agent-runtime"]
    assert json.loads(command) == ["run"]
    assert instructions("STOPSIGNAL") == ["SIGTERM"]
    assert re.search(r"apt-get install [^&]*\btini\b", instructions("RUN")[-1])
    assert "command" not in pod()["containers"][0] and "args" not in pod()["containers"][0]
    assert "command" not in compose_worker() and "entrypoint" not in compose_worker()


def test_every_image_has_a_version() -> None:
    bases = [line.split()[0] for line in instructions("FROM")]
    images = [compose_worker()["image"], pod()["containers"][0]["image"]]
    for image in [*bases, *images]:
        tag = image.rpartition(":")[2]
        assert tag and tag != image and tag != "latest"
    assert all(image.endswith(f":{__version__}") for image in images)
    kustomization = Kustomization.model_validate(manifest("kustomization"))
    assert {image.name for image in kustomization.images} == {images[1].rpartition(":")[0]}
    assert all(image.newTag == __version__ for image in kustomization.images)
    assert f"--tag agent-runtime-worker:{__version__} " in (DEPLOY / "Dockerfile").read_text()


def test_the_image_is_built_from_what_the_wheel_needs_and_no_more() -> None:
    copied = {
        source
        for line in instructions("COPY")
        if not line.startswith("--from=")
        for source in line.split()[:-1]
    }  # fmt: skip
    assert all((ROOT / source).exists() for source in copied)

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    web_ui = {wheel["hooks"]["custom"]["path"], "scripts/build_ui.py", "ui"}
    described = {project["project"]["readme"], *project["project"]["license-files"]}
    assert copied == {
        "pyproject.toml",
        "requirements/worker.lock",
        *described,
        *wheel["packages"],
        *wheel["force-include"],
        *web_ui,
    }

    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert ignored[0] == "*"
    assert {line[1:] for line in ignored if line.startswith("!")} == copied
    assert "**/.env" in ignored


def test_the_image_installs_the_dependencies_before_the_sources() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    assert text.index("--requirement worker.lock") < text.index("COPY agent_runtime")
    # None of the extras: the embedded stack has no place in a fleet.
    assert "[local]" not in text and "[dev]" not in text


# Settings


def test_every_variable_in_deploy_and_its_page_is_a_setting() -> None:
    known = {
        str(field.validation_alias or f"{settings.model_config['env_prefix']}{name.upper()}")
        for settings in (Settings, WebSettings)
        for name, field in settings.model_fields.items()
    }
    pages = [path for path in DEPLOY.rglob("*") if path.is_file() and path.name != ".env"]
    assert len(pages) > 10
    for page in [*pages, ROOT / "docs" / "deploy.md"]:
        named = set(re.findall(r"\b(?:AGENT_RUNTIME|SUPABASE|DATABASE)_[A-Z_]+\b", page.read_text()))
        assert named <= known, page

    handed_over = [example_environment(), compose_worker()["environment"], manifest("secret.example")["stringData"]]
    handed_over += [pod_environment(), {name: "" for name in image_environment() if name not in ("PATH", "HOME")}]
    assert set().union(*handed_over) <= known


@pytest.mark.parametrize("where", ["compose", "kubernetes"])
def test_the_example_settings_are_valid(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    own = {
        "compose": {**example_environment(), **compose_worker()["environment"]},
        "kubernetes": {**manifest("secret.example")["stringData"], **pod_environment()},
    }
    for name, value in {**image_environment(), **own[where]}.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.database_url is not None and settings.supabase_secret_key is not None
    assert settings.supabase_url == "https://PROJECT.supabase.co"
    assert settings.concurrency == 4
    assert settings.log_format == "json"


def test_the_examples_hold_no_secret_and_no_pooler_without_listen() -> None:
    for values in (example_environment(), manifest("secret.example")["stringData"]):
        assert "agent_worker.PROJECT:PASSWORD@" in values["DATABASE_URL"]
        assert ":5432/" in values["DATABASE_URL"]
        assert values["SUPABASE_SECRET_KEY"].endswith("REPLACE_ME")
        assert not any(value[0] in "\"'" or "$" in value for value in values.values())


def test_a_worker_may_finish_its_shutdown_before_it_is_killed() -> None:
    def needed(environment: dict[str, str]) -> float:
        return float(environment["AGENT_RUNTIME_SHUTDOWN_SECONDS"]) + DEADLINE_GRACE_SECONDS

    worker = compose_worker()
    assert float(worker["stop_grace_period"].removesuffix("s")) > needed(worker["environment"])
    assert pod()["terminationGracePeriodSeconds"] > needed(pod_environment())


# Agreement


def test_the_manifests_mean_the_same_pods_account_and_secret() -> None:
    deployment = manifest("deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    assert manifest("poddisruptionbudget")["spec"]["selector"]["matchLabels"] == labels
    assert manifest("networkpolicy")["spec"]["podSelector"]["matchLabels"] == labels
    assert pod()["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"] == labels
    assert pod()["serviceAccountName"] == manifest("serviceaccount")["metadata"]["name"]

    secret = manifest("secret.example")
    assert pod()["containers"][0]["envFrom"] == [{"secretRef": {"name": secret["metadata"]["name"]}}]
    assert secret["metadata"]["namespace"] == manifest("namespace")["metadata"]["name"]
    (target,) = TriggerAuthentication.model_validate(manifest("triggerauthentication")).spec.secretTargetRef
    assert target.name == secret["metadata"]["name"]
    assert target.key == "DATABASE_URL" and target.key in secret["stringData"]
    assert set(secret["stringData"]) == set(example_environment())


def test_keda_scales_this_deployment_by_the_tasks_that_one_worker_runs() -> None:
    spec = ScaledObject.model_validate(manifest("scaledobject")).spec
    deployment = manifest("deployment")
    assert spec.scaleTargetRef.name == deployment["metadata"]["name"]
    assert "replicas" not in deployment["spec"]
    (trigger,) = spec.triggers
    assert trigger.authenticationRef.name == manifest("triggerauthentication")["metadata"]["name"]
    assert trigger.metadata.query == "select public.worker_backlog()"
    assert trigger.metadata.targetQueryValue == pod_environment()["AGENT_RUNTIME_CONCURRENCY"]


def test_a_full_fleet_stays_within_the_connections_that_the_page_grants_its_role() -> None:
    page = (ROOT / "docs" / "deploy.md").read_text()
    (granted,) = re.findall(r"connection limit (\d+);", page)
    # The worker's pool, its leases' connection and the one that listens; KEDA asks over one of its own.
    each = min(POOL_LIMIT, int(pod_environment()["AGENT_RUNTIME_CONCURRENCY"]) + 1) + 2
    surge = manifest("deployment")["spec"]["strategy"]["rollingUpdate"]["maxSurge"]
    fleet = ScaledObject.model_validate(manifest("scaledobject")).spec.maxReplicaCount
    assert (fleet + surge) * each + 1 <= int(granted)


def test_what_the_page_names_exists() -> None:
    named = set(re.findall(r"\bdeploy/[\w./-]*\w", (ROOT / "docs" / "deploy.md").read_text())) - {"deploy/.env"}
    assert len(named) > 3
    assert all((ROOT / path).exists() for path in named), named


def test_what_a_worker_writes_lies_outside_the_read_only_root() -> None:
    folders = {image_environment()["AGENT_RUNTIME_WORKSPACE_ROOT"], image_environment()["HOME"], "/tmp"}
    worker, container = compose_worker(), pod()["containers"][0]
    assert worker["read_only"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    for mounts in (
        [mount.partition(":")[0] for mount in (*worker["volumes"], *worker["tmpfs"])],
        [mount["mountPath"] for mount in container["volumeMounts"]],
    ):
        assert all(any(Path(folder).is_relative_to(mount) for mount in mounts) for folder in folders)
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod()["volumes"]}


def test_a_worker_can_gain_no_rights() -> None:
    worker, container = compose_worker(), pod()["containers"][0]
    assert worker["cap_drop"] == ["ALL"] and "privileged" not in worker
    assert "no-new-privileges=true" in worker["security_opt"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert pod()["automountServiceAccountToken"] is False
    assert pod()["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}


def test_the_seccomp_profile_allows_namespaces_and_refuses_the_rest_of_what_is_dangerous() -> None:
    profile = SeccompProfile.model_validate_json((DEPLOY / "seccomp.json").read_text())
    (rule,) = profile.syscalls
    assert rule.names == sorted(set(rule.names))
    assert not NAMESPACE_CALLS & set(rule.names)
    assert set(DANGEROUS_CALLS) - NAMESPACE_CALLS <= set(rule.names)

    assert f"seccomp=./{(DEPLOY / 'seccomp.json').name}" in compose_worker()["security_opt"]
    patched = merged(manifest("deployment"), manifest("deployment", BUBBLEWRAP))
    (container,) = patched["spec"]["template"]["spec"]["containers"]
    assert container["securityContext"]["seccompProfile"]["type"] == "Localhost"
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert patched["spec"]["template"]["spec"]["hostUsers"] is False
