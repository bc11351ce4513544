"""A class-data-sharing archive: classes parsed and verified once instead of at every start."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from ledgerlake.setup.java import Java, recorded_java
from ledgerlake.setup.launch import ARCHIVE, class_path, submit_environment
from ledgerlake.setup.resolve import pyspark_home

_MINIMUM_JAVA = 13  # the first with -XX:ArchiveClassesAtExit
_TIMEOUT_S = 600


def provide_archive(tools: Path) -> str:
    """Make ``tools/spark.jsa`` unless it fits Java and jars already; return what was done.

    The archive only makes Spark start faster, so a failure is told and not raised.
    """
    java = recorded_java(tools)
    if java is None or java.version < _MINIMUM_JAVA:
        return f"none: it needs Java {_MINIMUM_JAVA} or newer; Spark starts without it, more slowly"
    archive, key_file, key = tools / ARCHIVE, tools / f"{ARCHIVE}.key", _key(tools, java)
    if archive.is_file() and key_file.is_file() and key_file.read_text(encoding="utf-8") == key:
        return "up to date"
    archive.unlink(missing_ok=True)
    print("  running a short Spark session to learn which classes it loads", flush=True)
    problem = _make_base(java) or _record(tools, archive)
    if problem:
        return f"none: {problem}; Spark starts without it, more slowly"
    key_file.write_text(key, encoding="utf-8")
    return f"{archive.stat().st_size // 2**20} MB"


def _key(tools: Path, java: Java) -> str:
    """Return what the archive depends on; the JVM itself compares paths, sizes and times of jars."""
    jars = [*class_path(tools), *sorted((pyspark_home() / "jars").glob("*.jar"))]
    stats = [f"{jar} {jar.stat().st_size} {jar.stat().st_mtime_ns}" for jar in jars]
    training = Path(__file__).with_name("training.py").read_text(encoding="utf-8")
    return hashlib.sha256("\n".join([str(java), *stats, training]).encode()).hexdigest()


def _make_base(java: Java) -> str:
    """Make the JDK's own archive, on which ours is built; a runtime from PyPI comes without it."""
    if (java.home / "lib" / "server" / "classes.jsa").is_file():
        return ""
    done = subprocess.run([java.home / "bin" / "java", "-Xshare:dump"], capture_output=True, check=False)
    return "" if done.returncode == 0 else "the JDK's base archive cannot be written"


def _record(tools: Path, archive: Path) -> str:
    """Run the training session and keep its classes; return the problem, empty where all went well."""
    new = archive.with_suffix(".new")
    new.unlink(missing_ok=True)
    options = ["-Xlog:disable", f"-XX:ArchiveClassesAtExit={new}"]
    command = [sys.executable, "-m", "ledgerlake.setup.training"]
    environment = os.environ | submit_environment(tools, "1g", options)
    try:
        # the JVM writes after Python has ended: reading its output to the end waits for both
        done = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=_TIMEOUT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"the training session took more than {_TIMEOUT_S} s"
    (tools / "archive.log").write_text(done.stdout, encoding="utf-8")
    if done.returncode or not new.is_file():
        new.unlink(missing_ok=True)
        return f"the training session failed, see {tools / 'archive.log'}"
    new.replace(archive)
    return ""
