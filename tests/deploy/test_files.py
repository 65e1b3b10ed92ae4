"""The Dockerfile and the compose files are well-formed and hold what docs/deploy.md promises."""

import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml

from tests.deploy.files import compose, dockerfile, environment_of, example
from tests.docs.blocks import ROOT

SCRIPTS = Path(sysconfig.get_path("scripts"))
COMPOSE = ("compose.yaml", "compose.temporal.yaml")


@pytest.mark.parametrize("name", COMPOSE)
def test_compose_files_are_as_the_schema_of_the_specification_says(name: str) -> None:
    command = [str(SCRIPTS / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(ROOT / name)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dockerfile_has_no_faults_that_hadolint_knows() -> None:
    done = subprocess.run([SCRIPTS / "hadolint", ROOT / "Dockerfile"], capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_image_has_no_tools_of_its_making_and_does_not_run_as_root() -> None:
    instructions = dockerfile()
    stages = [each.text for each in instructions if each.name == "FROM"]
    assert stages == ["python:${PYTHON}-slim AS build", "python:${PYTHON}-slim"]
    last = [(each.name, each.text) for each in instructions if each.stage == 1]
    users = [text for name, text in last if name == "USER"]
    assert users == ["10001"]
    assert [name for name, _text in last if name == "HEALTHCHECK"] == ["HEALTHCHECK"]
    assert [text for name, text in last if name == "COPY"] == ["--from=build /opt/triggers /opt/triggers"]
    assert environment_of(0)["UV_PROJECT_ENVIRONMENT"] == "/opt/triggers"


def test_the_image_is_made_of_what_the_docker_ignores_leave() -> None:
    kept = {
        line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")
    }
    copied = {
        word
        for each in dockerfile()
        if each.name == "COPY" and "--from" not in each.text
        for word in each.text.split()[:-1]
    }
    assert copied == kept
    assert all((ROOT / name).exists() for name in kept)


@pytest.mark.parametrize("files", [COMPOSE[:1], COMPOSE])
def test_services_depend_on_services_that_there_are_and_images_have_versions(files: tuple[str, ...]) -> None:
    services = compose(*files, env=example())
    for name, service in services.items():
        assert set(service.get("depends_on", {})) <= services.keys(), name
        if "build" not in service:
            assert re.search(r":\d", service["image"]), name
    assert {"db", "redis", "migrate", "web", "worker"} <= services.keys()


def test_without_passwords_nothing_starts() -> None:
    for missing in ("POSTGRES_PASSWORD", "SECRET_KEY"):
        with pytest.raises(AssertionError, match=rf"{missing} is not set: Set it in \.env"):
            compose("compose.yaml", env=example() | {missing: ""})


def test_the_variables_are_those_of_the_table_in_the_readme() -> None:
    listed = set(re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE))
    services = compose(*COMPOSE, env=example())
    given = {name for each in ("migrate", "web", "worker") for name in services[each]["environment"]}
    commented = re.findall(r"^(?:# )?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    elsewhere = {"POSTGRES_PASSWORD", "WEB_CONCURRENCY"}  # of PostgreSQL's image, and of gunicorn
    assert (given | set(commented)) - elsewhere <= listed


@pytest.mark.network
def test_what_the_dockerfile_does_makes_a_service_in_a_clean_environment(tmp_path: Path) -> None:
    """Its first stage, step by step, with the paths of the image below a folder; what asks for root is left out."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "python"], check=True)
    source = tmp_path / "src"
    source.mkdir()
    made = tmp_path / "opt/triggers"
    env = {"PATH": f"{tmp_path}/python/bin:/usr/bin:/bin", "HOME": str(tmp_path), "UV_SYSTEM_CERTS": "1"}
    env |= environment_of(0) | {"UV_PROJECT_ENVIRONMENT": str(made), "UV_PYTHON": f"{tmp_path}/python/bin/python"}
    for each in dockerfile():
        if each.stage == 0 and each.name == "COPY":
            *names, target = each.text.split()
            for name in names:
                if (ROOT / name).is_dir():
                    shutil.copytree(ROOT / name, source / target)
                else:
                    shutil.copy(ROOT / name, source)
        elif each.stage == 0 and each.name == "RUN":
            done = subprocess.run(["/bin/sh", "-euc", each.text], cwd=source, env=env, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
    shutil.rmtree(source)  # as in the image: nothing of it is left

    def triggers(command: str) -> str:
        """What it prints, in a folder of its own and with nothing set: on SQLite."""
        arguments = [str(made / "bin/triggers"), command]
        clean = {"PATH": env["PATH"], "HOME": env["HOME"]}
        done = subprocess.run(arguments, cwd=tmp_path, env=clean, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "Applying triggers.0001" in triggers("migrate")
    assert yaml.safe_load(triggers("export"))["triggers"] == []
