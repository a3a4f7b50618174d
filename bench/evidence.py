"""What recording and verifying evidence costs: `bench/evidence.py [RECORDS]` writes a log in a temporary directory, and looks through it.

Printed are records a second of one process, with 1, 10 and 100 that wait at a time, how many syncs that took, and how long the whole log
takes to be verified. The disk is that of the temporary directory: TMPDIR names another.
"""

import asyncio
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domicile.evidence import keys
from domicile.evidence.keys import LocalSigner
from domicile.evidence.records import Content
from domicile.evidence.segments import Segments
from domicile.evidence.store import open_log
from domicile.evidence.verifying import Segment, verify

ORIGIN = "domicile.dev/evidence/bench"
BODY = {
    "candidates": [{"cluster": f"cluster-{n:03}", "verdict": "Unlawful", "rule": "allow.workers"} for n in range(100)]
}
"""About 7 kB, as of a hundred clusters."""


async def written(directory: Path, signer: LocalSigner, count: int, at_once: int) -> None:
    """Write so many records, and print how fast."""
    syncs, fsync = 0, os.fsync

    def counted(file: int) -> None:
        nonlocal syncs
        syncs += 1
        fsync(file)

    log = open_log(Segments(directory), ORIGIN, signer, lambda: datetime.now(UTC))
    content = Content("Placed", "SovereignModel/retail-banking/fraud-scorer", f"sha256:{0:064x}", BODY)
    os.fsync = counted
    began, cpu = time.perf_counter(), time.process_time()
    try:
        for _ in range(count // at_once):
            await asyncio.gather(*(log.append(content, 1) for _ in range(at_once)))
    finally:
        os.fsync = fsync
    took, used = time.perf_counter() - began, time.process_time() - cpu
    await log.close()
    print(
        f"{at_once:>4} at a time: {count / took:8.0f} records/s, {used / count * 1e6:6.0f} us of processor each, {syncs} syncs"
    )


def main() -> None:
    """Write and verify."""
    count = int(sys.argv[1]) if sys.argv[1:] else 10_000
    signer = LocalSigner(Ed25519PrivateKey.generate())
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for at_once, share in ((1, 20), (10, 4), (100, 1)):
            asyncio.run(written(directory, signer, max(count // share, at_once), at_once))
        segments = [Segment(path.name, path.read_bytes()) for path in sorted(directory.glob("*.jsonl"))]
        began = time.perf_counter()
        report = verify(ORIGIN, segments, keys.by_id([signer.public]))
        took = time.perf_counter() - began
        size = sum(len(each.content) for each in segments)
    print(
        f"{report.size} records of {size / report.size:.0f} bytes verified in {took:.1f} s: {report.size / took:.0f} records/s"
    )
    print("findings:", len(report.findings))


if __name__ == "__main__":
    main()
