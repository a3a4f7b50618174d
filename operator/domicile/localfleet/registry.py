"""The fleet's OCI registry, with the referrers API, on loopback."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from domicile.localfleet import build, images, ports, processes

NAME = "registry"


@dataclass(frozen=True)
class Registry:
    address: str
    """`127.0.0.1:PORT`, plain HTTP."""

    def push(self, image: images.Image, name: str, tag: str = "1") -> str:
        """Returns the reference by digest."""
        return images.push(image, self.address, name, tag)


@dataclass(frozen=True)
class Images:
    """References by digest of the images every fleet has."""

    model_server: str
    pause: str


def prepare(directory: Path, programs: build.Programs, free: ports.Ports) -> tuple[Registry, processes.Program]:
    address = f"127.0.0.1:{free.take()}"
    argv = [str(programs.binary("registry")), f"-address={address}", f"-blobs={directory / 'blobs'}"]
    return Registry(address), processes.Program(NAME, argv, processes.Probe(f"http://{address}/v2/"))


def push_own_images(registry: Registry, programs: build.Programs) -> Images:
    return Images(
        model_server=registry.push(images.model_server(programs.binary("modelserver")), "serving/softmax"),
        pause=registry.push(images.pause(programs.binary("pause")), "pause"),
    )
