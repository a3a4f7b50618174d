"""What recording and verifying evidence costs: `bench/evidence.py [RECORDS [CLUSTERS]]` writes a log in a temporary directory, and looks
through it.

Printed are records a second of one process, with 1, 10 and 100 that wait at a time, by the clock and by what the processor took, how many
syncs that was, and how long the whole log takes to be verified, with the memory that takes. CLUSTERS are those that each record tells of. The
disk is that of the temporary directory: TMPDIR names another.
"""

import asyncio
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domicile.evidence import keys
from domicile.evidence.findings import Segment
from domicile.evidence.keys import LocalSigner
from domicile.evidence.records import Content
from domicile.evidence.segments import Segments
from domicile.evidence.store import open_log
from domicile.evidence.verifying import verify

ORIGIN = "domicile.dev/evidence/bench"
CLUSTERS = 100
"""About 7 kB, and 10 kB in the log."""


def body(clusters: int) -> dict[str, Any]:
    """As of a decision about so many clusters."""
    verdicts = [{"cluster": f"cluster-{n:03}", "verdict": "Unlawful", "rule": "allow.workers"} for n in range(clusters)]
    return {"candidates": verdicts}


async def written(directory: Path, signer: LocalSigner, count: int, at_once: int, clusters: int = CLUSTERS) -> None:
    """Write so many records, and print how fast."""
    syncs, fsync = 0, os.fsync

    def counted(file: int) -> None:
        nonlocal syncs
        syncs += 1
        fsync(file)

    log = open_log(Segments(directory), ORIGIN, signer, lambda: datetime.now(UTC))
    content = Content("Placed", "SovereignModel/retail-banking/fraud-scorer", f"sha256:{0:064x}", body(clusters))
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
        f"{at_once:>4} at a time: {count / took:6.0f} records/s by the clock, {count / used:6.0f} by the processor"
        f" ({used / count * 1e6:.0f} us each), {syncs} syncs"
    )


def segments(directory: Path) -> Iterator[Segment]:
    """As the store reads them, one after the other."""
    for path in sorted(directory.glob("*.jsonl")):
        yield Segment(path.name, path.read_bytes())


def memory() -> float:
    """The most that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Write and verify."""
    count, clusters = (*map(int, sys.argv[1:]), *(10_000, CLUSTERS)[len(sys.argv) - 1 :])
    signer = LocalSigner(Ed25519PrivateKey.generate())
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for at_once, share in ((1, 20), (10, 4), (100, 1)):
            asyncio.run(written(directory, signer, max(count // share, at_once), at_once, clusters))
        before, began, cpu = memory(), time.perf_counter(), time.process_time()
        report = verify(ORIGIN, segments(directory), keys.by_id([signer.public]))
        took, used = time.perf_counter() - began, time.process_time() - cpu
        size = sum(path.stat().st_size for path in directory.glob("*.jsonl"))
    print(
        f"{report.size} records of {size / report.size:.0f} bytes verified in {took:.1f} s: {report.size / took:.0f} records/s by the clock,"
        f" {report.size / used:.0f} by the processor; {before:.0f} MB before, {memory():.0f} MB at most"
    )
    print("findings:", len(report.findings))


if __name__ == "__main__":
    main()
