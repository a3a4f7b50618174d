"""What the users' stories share: the real commands, and a session's fleet to run them on. Nothing of Domicile's inside."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from terminal import Shell

pytest_plugins = ["domicile.localfleet.pytest_plugin"]

HERE = Path(__file__).parent
DEMO = HERE / "test_demo.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The demo starts a fleet of its own: it runs before the session's fleet is up, so that there is one at a time."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.fleet)
    items.sort(key=lambda item: item.path != DEMO)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Commands whose run-time state is the test's own; components that were built are shared."""
    return Shell({"DOMICILE_RUN": str(tmp_path / "run")})


@pytest.fixture(scope="session")
def contexts(fleet: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kubeconfig as somebody has it who has clusters already: an administrator's contexts hub, sg, ph and de."""
    merged: dict[str, Any] = {"apiVersion": "v1", "kind": "Config", "clusters": [], "users": [], "contexts": []}
    for name, cluster in fleet.clusters.items():
        one = yaml.safe_load(Path(cluster.kubeconfig).read_text())
        merged["clusters"].append({"name": name, "cluster": one["clusters"][0]["cluster"]})
        merged["users"].append({"name": name, "user": one["users"][0]["user"]})
        merged["contexts"].append({"name": name, "context": {"cluster": name, "user": name}})
    merged["current-context"] = "hub"
    path = tmp_path_factory.mktemp("kubeconfig") / "config"
    path.write_text(yaml.safe_dump(merged))
    return path
