"""What the tests of `domicile audit` share: logs in files, and one way to ask."""

from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import builders as a
from audit.chronicle import Chronicle, at
from decision import world as w
from decision.world import World
from domicile.cli.main import main
from domicile.controller.evidence import Evidence
from domicile.controller.opening import Signing, opening
from domicile.evidence import keyfile
from domicile.evidence.keys import LocalSigner
from evidence.logs import OURS

FIRST = "00000000000000000000.jsonl"


@dataclass
class Files:
    """A log in files, and the key that signed it."""

    log: Path
    key: Path
    chronicle: Chronicle

    def ask(self, what: str, *more: object) -> Result:
        """`domicile audit WHAT` about the log."""
        return run(what, self.log, "--key", self.key, *more)

    def tamper(self, old: bytes, new: bytes) -> None:
        """Change bytes in the log."""
        path = self.log / FIRST
        before = path.read_bytes()
        assert old in before
        path.write_bytes(before.replace(old, new, 1))

    def without(self, sequence: int) -> None:
        """Leave a record out."""
        path = self.log / FIRST
        lines = path.read_bytes().splitlines(keepends=True)
        del lines[sequence]
        path.write_bytes(b"".join(lines))


def run(what: str, *arguments: object) -> Result:
    return CliRunner().invoke(main, ["audit", what, *map(str, arguments)])


def written(folder: Path, chronicle: Chronicle) -> Files:
    log, key = folder / "evidence", pem(folder / "pub.pem")
    log.mkdir()
    (log / FIRST).write_bytes(chronicle.sealed)
    return Files(log, key, chronicle)


def pem(path: Path, by: LocalSigner = OURS) -> Path:
    path.write_text(keyfile.pem(by.public))
    return path


ASKED = {"annotations": {"domicile.dev/requested-by": "ana"}}


def moving() -> Chronicle:
    """A model is placed on sg, moves to ph at minute 10, and is gone from sg at minute 12; another one is refused."""
    return deepcopy(_moving())


@cache
def _moving() -> Chronicle:
    log = Chronicle()
    state = log.passed(w.world(model=w.model(metadata=ASKED)))
    state = log.passed(at(w.serving_on(state, "sg"), 1), times=2)
    log.passed(at(refused(), 5))
    state = log.passed(at(_only_ph(state), 10))
    state = log.passed(at(state, 11))
    state = log.passed(at(state, 12), times=2)
    log.passed(at(w.serving_on(state, "ph"), 13), times=2)
    return log


def refused() -> World:
    return w.world(model=w.model(name="credit-limit"), policies=(a.policy("japan", everywhere=("JP",)),))


def _only_ph(state: World) -> World:
    return replace(state, policies=(a.policy(everywhere=("PH",)),))


def private(folder: Path) -> Path:
    """A file with the key that signs these logs."""
    path = folder / "key.pem"
    path.write_bytes(OURS._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


async def decided_in_sg(folder: Path, evidence: str, region: str) -> Files:
    """What an operator records that keeps details of Singapore apart."""
    where = opening(evidence, Signing(private(folder)), lambda: a.NOW, {"SG": region})
    recorder = Evidence(
        where,
        hub=lambda: "36c069f1-b114-4ef9-a73c-fe55498e3bc7",
        epoch=lambda: 3,
        models=lambda: [a.uid("it")],
        about={"identity": "test", "version": "0"},
        clock=lambda: a.NOW,
        changed=lambda: None,
        regions=("SG",),
    )
    await recorder._try()
    for state in (w.world(), w.running()):
        await recorder.decided(w.plan(state), w.snapshot(state), state.now)
    await recorder.close()
    return Files(folder / "evidence", pem(folder / "pub.pem"), Chronicle())
