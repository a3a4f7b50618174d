"""What all tests share: how many examples hypothesis tries, and the fixtures of a real fleet."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# No deadline: the machines that run this are small and shared. Derandomised: a red gate is red for everybody.
settings.register_profile("check", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("full", settings.get_profile("check"), max_examples=2000, derandomize=False, print_blob=True)
settings.load_profile("full" if os.environ.get("DOMICILE_TESTS") == "full" else "check")

pytest_plugins = ["domicile.localfleet.pytest_plugin"]

FLEET_TESTS = Path(__file__).parent / "fleet"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(FLEET_TESTS):
            item.add_marker(pytest.mark.fleet)
