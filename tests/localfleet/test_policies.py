"""Whether this kernel can enforce NetworkPolicies is tried, and told in the kernel's own words."""

from pathlib import Path

import pytest

from domicile.localfleet import build
from domicile.localfleet.realnode import policies

ANSWERS = {
    "it can": ("exit 0", None),
    "it cannot": (
        "echo 'nftables table: no such file or directory' >&2; exit 1",
        "nftables table: no such file or directory",
    ),
    "it ends without a word": ("exit 3", "kube-network-policies --check ended with 3"),
    "it hangs": ("exec sleep 60", "kube-network-policies --check did not end within 0 s"),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_what_the_kernel_cannot_do_is_told(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script, expected = ANSWERS[case]
    program = tmp_path / policies.NAME
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    if "within" in (expected or ""):
        monkeypatch.setattr(policies, "_CHECK_SECONDS", 0.2)
    assert policies.not_enforceable(build.Programs({policies.NAME: program}, {})) == expected
