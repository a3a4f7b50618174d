"""The YAML that the story's people apply: the texts of examples/, with what has to be filled in filled in."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from domicile.cli.failure import Failure
from domicile.kube import rfc3339

CONFIRMED: Final = "domicile.dev/confirmed-change"
NO_UID: Final = "00000000-0000-0000-0000-000000000000"
NO_UID_OF_HUB: Final = "00000000-0000-0000-0000-000000000003"
NO_DIGEST: Final = "sha256:" + "0" * 64
_FROM: Final = "2026-01-01T00:00:00Z"
_UNTIL: Final = "2027-01-01T00:00:00Z"
_REGISTRY: Final = "      - {host: registry.example, jurisdiction: SG}\n"
_HUB: Final = "hub: [SG]"
_WHERE: Final = re.compile(r"(?<!hub: )\[SG\]")
"""Where a policy's models may be, with all that belongs to them but the hub."""
_ACCELERATORS: Final = re.compile(r"^ *accelerators: .*\n", re.MULTILINE)


def example(name: str) -> str:
    """Text of a file of examples/: in an installed package beside us, in a check-out at its root."""
    homes = (Path(__file__).parents[2] / "examples", Path(__file__).parents[4] / "examples")
    for home in homes:
        if (home / name).exists():
            return (home / name).read_text()
    raise Failure(f"examples/{name} is missing; looked in {' and '.join(map(str, homes))}")


def attestation(code: str, uid: str, references: Iterable[str], now: datetime | None = None) -> str:
    """An attestation that everything of a cluster is in one country, for a month, the registries of these references too."""
    now = now or datetime.now(UTC)
    text = example("clusterattestation-sg.yaml")
    hosts = sorted({reference.partition("/")[0] for reference in references})
    text = filled(text, _REGISTRY, "".join(_REGISTRY.replace("registry.example", host) for host in hosts))
    text = re.sub(r"\bSG\b", code, re.sub(r"\bsg\b", code.lower(), text))
    return _in_force(filled(text, NO_UID, uid), now)


def hub_attestation(code: str, uid: str, now: datetime | None = None) -> str:
    """An attestation that the hub is in one country, for a month."""
    text = re.sub(r"\bSG\b", code, example("clusterattestation-hub.yaml"))
    return _in_force(filled(text, NO_UID_OF_HUB, uid), now or datetime.now(UTC))


def policy(code: str, hub: str, because: str = "") -> str:
    """The policy that customers' personal data stays in one country, with the hub, which never has the data, in another or the
    same; with the reason of a change that models run under."""
    text = example("residencypolicy.yaml")
    if because:
        name = "  name: retail-customer-data\n"
        text = filled(text, name, f'{name}  annotations: {{{CONFIRMED}: "{because}"}}\n')
    text = _WHERE.sub(f"[{code}]", filled(text, _HUB, f"hub: [{hub}]"))
    return text if code == "SG" else filled(text, "in Singapore", f"in {code}")


def fraud_scorer(model: str, server: str, *, accelerators: bool) -> str:
    """The model with customers' personal data; `model` and `server` are references by digest."""
    text = _with_images(example("sovereignmodel-gpu.yaml"), "fraud-scorer", model, server)
    return text if accelerators else _ACCELERATORS.sub("", text)


def churn_forecast(model: str, server: str) -> str:
    """The model whose data class no policy covers."""
    return _with_images(example("sovereignmodel-cpu.yaml"), "churn-forecast", model, server)


def filled(text: str, placeholder: str, value: str) -> str:
    """The text with the placeholder replaced everywhere. It must be there: an example that changed must not go unnoticed."""
    if placeholder not in text:
        raise Failure(f"the example has no {placeholder!r} to fill in: it and domicile.cli.demo.texts have to agree")
    return text.replace(placeholder, value)


def _with_images(text: str, name: str, model: str, server: str) -> str:
    text = filled(text, f"registry.example/models/{name}@{NO_DIGEST}", model)
    text = filled(text, f"registry.example/serving/sklearn@{NO_DIGEST}", server)
    # What the demo's server reads is scikit-learn's model written as JSON.
    return filled(text, "modelFormat: {name: sklearn}", "modelFormat: {name: softmax-json}")


def _in_force(text: str, now: datetime) -> str:
    text = filled(text, _FROM, rfc3339(now - timedelta(days=1)))
    return filled(text, _UNTIL, rfc3339(now + timedelta(days=30)))
