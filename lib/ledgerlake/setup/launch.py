"""How a local driver's JVM is started: Java, class path and options, from what set-up left."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from ledgerlake.setup.jars import BUNDLES

ARCHIVE = "spark.jsa"
# A stale archive is ignored; what the JVM says about that is of no use to a user.
_QUIET = ("-Xlog:disable", "-Xlog:all=error:stderr")


def tools_folder() -> Path:
    """Return where set-up put Java, jars and the class-data-sharing archive."""
    return Path(os.environ.get("LEDGERLAKE_TOOLS", Path.cwd() / ".tools")).absolute()


def class_path(tools: Path, bundle: str = "core") -> list[Path]:
    """Return a bundle's jars in the order of their names; empty where set-up has not run."""
    return [jar for name in sorted(BUNDLES[bundle].pins) if (jar := tools / "jars" / name).is_file()]


def launch_environment(
    tools: Path, *, driver_memory: str, java_options: Sequence[str] = (), s3: bool = False
) -> dict[str, str]:
    """Return the environment variables that make pyspark launch its JVM from ``tools``.

    The jars lead the class path instead of going through ``--jars``: a class-data-sharing archive
    covers the JVM's own class path only, and Spark would copy each of them for every session.
    Those for S3 (280 MB) come last, so that the archive, made without them, stays valid.
    """
    options = (*archive_options(tools), *java_options)
    return submit_environment(tools, driver_memory, options, class_path(tools, "s3") if s3 else [])


def archive_options(tools: Path) -> list[str]:
    """Return the options that use the archive, none where there is none (it needs Java 17)."""
    archive = tools / ARCHIVE
    return [*_QUIET, "-Xshare:auto", f"-XX:SharedArchiveFile={archive}"] if archive.is_file() else []


def submit_environment(
    tools: Path, driver_memory: str, java_options: Iterable[str], last_on_class_path: Iterable[Path] = ()
) -> dict[str, str]:
    """Return the variables for exactly these options; ``archive`` uses it to write the archive."""
    options = " ".join(f'"{option}"' if " " in option else option for option in java_options)
    arguments = [
        "--driver-memory", driver_memory,
        "--driver-class-path", _joined(class_path(tools)),
        "--driver-java-options", options,
        "pyspark-shell",
    ]  # fmt: skip
    found = {
        "PYSPARK_SUBMIT_ARGS": shlex.join(arguments),
        "SPARK_DIST_CLASSPATH": _joined(last_on_class_path),
    }
    java = tools / "java_home"
    return found | ({"JAVA_HOME": java.read_text(encoding="utf-8").strip()} if java.is_file() else {})


def _joined(jars: Iterable[Path]) -> str:
    return os.pathsep.join(map(str, jars))
