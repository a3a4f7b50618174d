"""Requests that only a fence in force refuses: dry runs, so that nothing is made where it is not."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from domicile.fence.cel import SUBRESOURCE

_PREFIX: Final = "fence-probe-"


@dataclass(frozen=True)
class Probe:
    """A ServiceAccount of a name that its policy refuses to everybody, Domicile too. Each policy has its own, because an API
    server says of a request only one of the policies that refuse it."""

    short: str
    policy: str
    """Name of the policy that must refuse it."""

    @property
    def object_name(self) -> str:
        """Name of the ServiceAccount."""
        return f"{_PREFIX}{self.short}"

    @property
    def expression(self) -> str:
        """Whether a request is this probe, in CEL."""
        return (
            f"request.operation == 'CREATE' && request.resource.resource == 'serviceaccounts' && {SUBRESOURCE} == ''"
            f" && object.metadata.?name.orValue('') == '{self.object_name}'"
        )

    def manifest(self, namespace: str) -> Mapping[str, Any]:
        """What is sent, as a dry run."""
        metadata = {"name": self.object_name, "namespace": namespace}
        return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}

    def says(self, digest: str) -> str:
        """The words of the refusal."""
        return f"fence {digest} is in force"

    def shown_by(self, message: str, digest: str) -> bool:
        """Whether the answer to it shows that the policy is in force, as the fence with this digest has it."""
        return f"'{self.policy}'" in message and self.says(digest) in message
