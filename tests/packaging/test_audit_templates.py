"""The templates of `domicile audit export` stand beside the code, and go into the wheel with it."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXPORT = ROOT / "operator" / "domicile" / "cli" / "audit" / "export"


def test_the_templates_are_in_the_package_that_the_wheel_is_made_of() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert [ROOT / package for package in wheel["packages"]] == [ROOT / "operator" / "domicile"]
    assert "exclude" not in wheel
    assert "only-include" not in wheel
    assert sorted(path.name for path in EXPORT.glob("*.jinja")) == ["README.txt.jinja", "report.html.jinja"]
