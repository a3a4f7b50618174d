"""The command's entry: it is quick, it says what there is, and its errors are plain."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from domicile.cli.main import main

HEAVY = ("domicile.api", "domicile.kube", "kopf", "kubernetes", "kserve", "sklearn", "pydantic", "aiohttp")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["cluster", "join", "--help"],
        ["demo", "--help"],
        ["operator", "--help"],
        ["plan", "--help"],
        ["policy", "diff", "--help"],
    ],
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom domicile.cli.main import main\n"
        f"try: main({arguments!r})\n"
        "except SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1] == "[]"


def test_every_command_is_listed_and_has_help() -> None:
    listed = CliRunner().invoke(main, ["--help"]).output
    for name in ("cluster", "crds", "demo", "operator", "plan", "policy"):
        assert name in listed
        assert CliRunner().invoke(main, [name, "--help"]).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    {
        "regions without a hub": (["demo", "--region", "SG=a"], "go with --hub-context"),
        "one region": (["demo", "--hub-context", "h", "--region", "SG=a"], "two or more regions"),
        "one country twice": (["demo", "--hub-context", "h", "--region", "SG=a", "--region", "sg=b"], "two or more"),
        "no context": (["demo", "--hub-context", "h", "--region", "SG=", "--region", "PH=b"], "is not CODE=CONTEXT"),
        "half of the images": (
            ["demo", "--hub-context", "h", "--region", "SG=a", "--region", "PH=b", "--model-image", "x"],
            "go together",
        ),
        "no namespace": (["operator"], "--namespace"),
        "an unknown command": (["dmeo"], "No such command"),
    }.values(),
)
def test_wrong_usage_is_said(arguments: list[str], says: str) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert says in result.output
