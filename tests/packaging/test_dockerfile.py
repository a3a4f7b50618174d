"""The image is built from what the Dockerfile copies, and that has to hold all that the wheel is made of."""

import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def copied(dockerfile: str) -> list[tuple[str, str]]:
    """Source in the build context and destination of each COPY; those from other stages are left out."""
    pairs: list[tuple[str, str]] = []
    for line in dockerfile.splitlines():
        words = line.split()
        if words[:1] == ["COPY"] and not any(word.startswith("--from") for word in words):
            *sources, destination = words[1:]
            pairs += [(source, destination) for source in sources]
    return pairs


def ignored(path: Path, patterns: list[str]) -> bool:
    """As .dockerignore says: the last pattern that fits the path, or a folder that it is in, decides."""
    decided = False
    names = [path.as_posix(), *(parent.as_posix() for parent in path.parents)]
    for pattern in patterns:
        parts = re.split(r"(\*\*/|\*)", pattern.removeprefix("!"))
        expression = "".join({"**/": "(.*/)?", "*": "[^/]*"}.get(part, re.escape(part)) for part in parts)
        if any(re.fullmatch(expression, name) for name in names if name != "."):
            decided = not pattern.startswith("!")
    return decided


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The folder that the image's wheel is built in."""
    lines = [line.strip() for line in (ROOT / ".dockerignore").read_text().splitlines()]
    patterns = [line for line in lines if line and not line.startswith("#")]
    for source, destination in copied((ROOT / "Dockerfile").read_text()):
        files = [ROOT / source] if (ROOT / source).is_file() else sorted((ROOT / source).rglob("*"))
        for file in files:
            if file.is_file() and not ignored(file.relative_to(ROOT), patterns):
                below = file.relative_to(ROOT / source) if (ROOT / source).is_dir() else Path(file.name)
                target = tmp_path / destination / below
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, target)
    return tmp_path


def test_the_wheel_finds_all_that_it_is_made_of(image: Path) -> None:
    project: dict[str, Any] = tomllib.loads((image / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = [project["project"]["readme"], *project["project"]["license-files"], *wheel["packages"]]
    for source in (*needed, *wheel["force-include"]):
        assert files(image / source) == files(ROOT / source), source
        assert files(image / source), source


def test_what_the_wheel_does_not_need_stays_out_of_the_image(image: Path) -> None:
    kinds = {path.relative_to(image).parts[0] for path in image.rglob("*")}
    assert kinds == {"pyproject.toml", "uv.lock", "README.md", "LICENSE", "operator", "examples"}
    assert not list(image.rglob("__pycache__"))


def files(place: Path) -> set[str]:
    found = {place} if place.is_file() else set(place.rglob("*"))
    return {path.relative_to(place.parent).as_posix() for path in found if path.is_file() and path.suffix != ".pyc"}
