"""A user's terminal: the commands of the installation under test, run as anybody would run them."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Shell:
    """Runs commands of the installation under test."""

    environment: Mapping[str, str] = field(default_factory=dict[str, str])

    def __call__(self, *command: str, within: float = 300) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            (str(BIN / command[0]), *command[1:]),
            check=False,
            capture_output=True,
            text=True,
            timeout=within,
            env={**os.environ, **self.environment},
        )

    def start(self, *command: str, output: IO[str]) -> "subprocess.Popen[bytes]":
        """Run it in the background."""
        line = (str(BIN / command[0]), *command[1:])
        return subprocess.Popen(line, stdout=output, stderr=output, env={**os.environ, **self.environment})

    def works(self, *command: str, within: float = 300) -> str:
        """What it prints; it must end well."""
        answer = self(*command, within=within)
        assert answer.returncode == 0, f"{' '.join(command)}\n{answer.stdout}\n{answer.stderr}"
        return answer.stdout
