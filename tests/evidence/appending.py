"""Appends to a log until it is killed, and prints each record once it was acknowledged: `appending.py DIRECTORY [MOST BYTES OF A FILE]`."""

import asyncio
import resource
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from domicile.evidence.segments import Segments
from domicile.evidence.storage import StoreDown
from domicile.evidence.store import open_log
from evidence.logs import ORIGIN, OURS, content

AT_ONCE = 5


async def main(directory: Path) -> None:
    log = open_log(Segments(directory, 20_000), ORIGIN, OURS, lambda: datetime.now(UTC))
    print("open", len(log), flush=True)
    while True:
        try:
            receipts = await asyncio.gather(*(log.append(content(number), 1) for number in range(AT_ONCE)))
        except StoreDown as error:
            print("down", error, flush=True)
            return
        for each in receipts:
            print(each.sequence, each.digest, flush=True)


if __name__ == "__main__":
    if sys.argv[2:]:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that writing fails, as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
    asyncio.run(main(Path(sys.argv[1])))
