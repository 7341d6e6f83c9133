"""What is deployed has the versions of the project, runs as no root and holds no secret."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import orchestrator
from cluster.deployment import AbsolutePath, Word
from cluster.profile import load_profile, shipped_profiles
from search_spaces.credentials import has_credentials
from search_spaces.typed import adapter

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REQUIREMENTS = {requirement.name: requirement for requirement in map(Requirement, PROJECT["dependencies"])}
DOCKERFILE = (ROOT / "cluster" / "docker" / "Dockerfile").read_text()
COMPOSE = (ROOT / "cluster" / "mlflow" / "compose.yaml").read_text()
DEPLOYED = [
    file.relative_to(ROOT).as_posix()
    for folder in ("docker", "kuberay", "ray-up", "slurm", "mlflow", "profiles")
    for file in sorted((ROOT / "cluster" / folder).iterdir())
    if file.is_file() and file.suffix not in (".py", ".pyc")
]


def test_the_image_gets_its_versions_from_the_project_alone() -> None:
    """So a version that is raised there is raised in the image: `pip install` reads pyproject.toml."""
    (install,) = re.findall(r"pip install (.*)", DOCKERFILE)
    words = [word.strip('"') for word in install.split() if not word.startswith("--")]
    extras = set(re.findall(r"\w+", words[0].removeprefix("/source"))) if words[0].startswith("/source[") else set()
    assert extras <= set(PROJECT["optional-dependencies"])
    assert words[0].startswith("/source")
    assert words[1:] == ["boto3"]
    copied = set(re.findall(r"^COPY (?!--)(.*) \S+$", DOCKERFILE, flags=re.M))
    files = {name for line in copied for name in line.split()}
    assert all((ROOT / name).exists() for name in files)
    assert {"pyproject.toml", "search_spaces", "trainables", "cluster", "orchestrator"} <= files


def test_the_image_has_a_python_that_the_project_takes() -> None:
    for base in re.findall(r"^FROM (\S+)", DOCKERFILE, flags=re.M) + re.findall(r"FROM (python\S+)", COMPOSE):
        (version,) = re.findall(r"python:(\d+\.\d+)-", base)
        assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains(version)


def test_the_image_runs_as_no_root() -> None:
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.findall(r"^USER (\S+)$", last, flags=re.M) == ["1000"]
    assert "useradd --uid 1000" in last


def test_images_of_the_profiles_are_of_this_version() -> None:
    profiles = map(load_profile, shipped_profiles())
    ways = [way for profile in profiles for way in (profile.kubernetes, profile.aws, profile.on_premise) if way]
    assert {way.image.rpartition(":")[2] for way in ways} == {orchestrator.__version__}


def test_the_tracking_server_is_of_the_version_that_clients_have() -> None:
    (written,) = re.findall(r'"(mlflow[^"]*)"', COMPOSE)
    assert Requirement(written).specifier == REQUIREMENTS["mlflow"].specifier


def test_the_tracking_server_is_reached_from_its_own_machine_and_its_database_by_it_alone() -> None:
    services = yaml.safe_load(COMPOSE)["services"]
    assert services["server"]["ports"] == ["127.0.0.1:5000:5000"]
    assert "ports" not in services["database"]


def test_the_password_of_the_database_is_a_secret_file() -> None:
    compose = yaml.safe_load(COMPOSE)
    assert compose["secrets"] == {"database-password": {"file": "secrets/database-password"}}
    for service in compose["services"].values():
        assert service["secrets"] == ["database-password"]
    assert compose["services"]["database"]["environment"]["POSTGRES_PASSWORD_FILE"].startswith("/run/secrets/")


@pytest.mark.parametrize("file", DEPLOYED)
def test_a_deployed_file_holds_no_secret(file: str) -> None:
    text = (ROOT / file).read_text()
    assert not has_credentials(re.sub(r"\$\$\(.*?\)", "", text).replace("mlflow:@database", "database"))
    assert re.findall(r"(?i)(?:password|token|secret[_-]?key)\s*[:=]\s*['\"]?[0-9a-zA-Z+/]{8,}", text) == []


@pytest.mark.parametrize("text", ["", "a b", "a\nb", "$(id)", "a;b", "a'b", "`id`"])
def test_a_word_has_nothing_that_a_shell_reads(text: str) -> None:
    with pytest.raises(ValueError, match="must be one word"):
        adapter(Word).validate_python(text)  # type: ignore[arg-type]


def test_a_path_on_all_nodes_is_absolute() -> None:
    with pytest.raises(ValueError, match="must be an absolute path"):
        adapter(AbsolutePath).validate_python("venv")  # type: ignore[arg-type]
