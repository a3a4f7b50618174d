"""The world that the story plays in: a hub, regions, people, and the artifacts to be served. How it came about is not said here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from domicile import kube
from domicile.cli.demo.kubectl import Person
from domicile.cli.demo.model import Trained

NAMES: Final[Mapping[str, str]] = {"SG": "Singapore", "PH": "the Philippines", "DE": "Germany"}


@dataclass(frozen=True)
class Region:
    """A regional cluster."""

    code: str
    """Its country, such as SG."""
    context: str
    admin: Person
    """Who may look at everything there."""

    @property
    def name(self) -> str:
        """Name of its RegionalCluster."""
        return self.code.lower()

    @property
    def country(self) -> str:
        """For people."""
        return NAMES.get(self.code, self.code)


@dataclass(frozen=True)
class World:
    """Everything that the story needs, up and running."""

    kubeconfig: Path | None
    """Has the contexts below; None: kubectl's default."""
    hub_context: str
    regions: tuple[Region, ...]
    """The first is where the policy begins, the second where it moves to; nothing may be placed on the others."""
    root: Person
    """Administrator of the hub: sets up, and observes."""
    platform: Person
    governance: Person
    team: Person
    work: Path
    trained: Trained
    model_image: str
    server_image: str
    serves: bool
    """Whether pods can really start, or be simulated to: then Ready is waited for."""
    no_prediction: str
    """Why no prediction can be asked for; empty where it can."""
    real_node: str = ""
    """Node of the first region that was made for the model to run on in earnest; empty where none was."""
    about: tuple[str, ...] = field(default=())
    """What the fleet is, for people."""

    @property
    def home(self) -> Region:
        return self.regions[0]

    @property
    def next_home(self) -> Region:
        return self.regions[1]

    @property
    def elsewhere(self) -> tuple[Region, ...]:
        return self.regions[2:]


@dataclass(frozen=True)
class Eyes:
    """Connections by which the story looks at the clusters itself."""

    hub: kube.KubeClient
    regions: Mapping[str, kube.KubeClient]
    """By name of the RegionalCluster."""

    async def close(self) -> None:
        for client in (self.hub, *self.regions.values()):
            await client.close()


async def open_eyes(hub: tuple[Path | None, str], regions: Mapping[str, tuple[Path | None, str]]) -> Eyes:
    """Connect to all of them; each by kubeconfig and context."""
    clients = {name: kube.KubeClient(await kube.from_kubeconfig(*where)) for name, where in regions.items()}
    return Eyes(kube.KubeClient(await kube.from_kubeconfig(*hub)), clients)
