"""What `domicile demo` installs is what the chart installs: its rendered copy is held to the chart by Helm itself."""

import subprocess

import yaml

from chart.conftest import ROOT, Helm
from domicile.cli.demo import installation


def test_it_is_the_chart_as_helm_renders_it(helm: Helm) -> None:
    command = [str(helm.program), *installation.HELM_ARGUMENTS]
    rendered = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    wanted = [each for each in yaml.safe_load_all(rendered) if each]
    there = [each for each in yaml.safe_load_all(installation.RENDERED.read_text()) if each]
    how = f"write it again: helm {' '.join(installation.HELM_ARGUMENTS)} > {installation.RENDERED.relative_to(ROOT)}"
    assert there == wanted, how
