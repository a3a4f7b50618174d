"""Appends to a log until it is killed, and prints each record once it was acknowledged: `appending.py DIRECTORY [MOST BYTES OF A FILE]`, or
`appending.py postgres CONNINFO SCHEMA EPOCH`."""

import asyncio
import resource
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from domicile.evidence.postgres import Postgres
from domicile.evidence.segments import Segments
from domicile.evidence.storage import StaleEpoch, Storage, StoreDown
from domicile.evidence.store import open_log
from evidence.logs import ORIGIN, OURS, content

AT_ONCE = 5


def acknowledged(told: str) -> dict[int, str]:
    """What was printed: digests by sequence. The last line may be half a one."""
    lines = (line.split() for line in told.rpartition("\n")[0].splitlines())
    return {int(sequence): digest for sequence, digest in (line for line in lines if line[0].isdigit())}


async def main(storage: Storage, epoch: int) -> None:
    log = open_log(storage, ORIGIN, OURS, lambda: datetime.now(UTC))
    print("open", len(log), flush=True)
    while True:
        try:
            receipts = await asyncio.gather(*(log.append(content(number), epoch) for number in range(AT_ONCE)))
        except (StoreDown, StaleEpoch) as error:
            print("down" if isinstance(error, StoreDown) else "stale", error, flush=True)
            return
        for each in receipts:
            print(each.sequence, each.digest, flush=True)


if __name__ == "__main__":
    where, *more = sys.argv[1:]
    if where == "postgres":
        conninfo, schema, epoch = more
        asyncio.run(main(Postgres(conninfo, int(epoch), schema), int(epoch)))
    else:
        if more:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that writing fails, as on a full disk
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(more[0]), int(more[0])))
        asyncio.run(main(Segments(Path(where), 20_000), 1))
