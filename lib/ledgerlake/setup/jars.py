"""The jars Spark needs: declared here, resolved once, verified against pinned checksums."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ledgerlake.errors import TerminalError, Where
from ledgerlake.setup.resolve import resolve

_PINS = Path(__file__).parent


@dataclass(frozen=True)
class Bundle:
    """Coordinates that are wanted together; ``<name>.sha256`` beside this file pins their closure."""

    name: str
    coordinates: tuple[str, ...]

    @property
    def pin_file(self) -> Path:
        """Return the checksum file, in the format of ``sha256sum``."""
        return _PINS / f"{self.name}.sha256"

    @property
    def pins(self) -> dict[str, str]:
        """Return file name → SHA-256 of every jar of the bundle, dependencies included."""
        if not self.pin_file.is_file():
            return {}
        lines = self.pin_file.read_text(encoding="utf-8").splitlines()
        return {name: digest for digest, name in (line.split() for line in lines if line)}


# The one place for coordinates. After a change: `python -m ledgerlake.setup --pin`.
BUNDLES = {
    bundle.name: bundle
    for bundle in (
        Bundle(
            "core",
            (
                "io.delta:delta-spark_2.12:3.3.2",
                "org.postgresql:postgresql:42.7.14",
                "org.apache.spark:spark-avro_2.12:3.5.5",
                # Before Spark's own on the class path, same packages, without their advisories: docs/security.md.
                "at.yawk.lz4:lz4-java:1.14.0",
                "org.xerial.snappy:snappy-java:1.1.10.12",
                "org.apache.commons:commons-lang3:3.22.0",
                "org.apache.commons:commons-compress:1.28.0",
            ),
        ),
        Bundle("s3", ("org.apache.hadoop:hadoop-aws:3.3.4",)),
        Bundle("snowflake", ("net.snowflake:spark-snowflake_2.12:3.0.0", "net.snowflake:snowflake-jdbc:3.17.0")),
    )
}


def provide_jars(tools: Path, bundles: Iterable[Bundle], *, pin: bool = False) -> str:
    """Bring every bundle's jars into ``tools/jars``; raise where one is not what was pinned."""
    folder = tools / "jars"
    folder.mkdir(exist_ok=True)
    names: list[str] = []
    for bundle in bundles:
        if pin or not is_complete(folder, bundle.pins):
            _fetch(tools, bundle, pin)
        names += bundle.pins
    shutil.rmtree(tools / "ivy" / "cache", ignore_errors=True)  # a second copy of every jar
    return f"{len(names)} verified in {folder}"


def is_complete(folder: Path, pins: Mapping[str, str]) -> bool:
    """Say whether every pinned jar is there; raise :class:`TerminalError` for one that differs."""
    present = {name for name in pins if (folder / name).is_file()}
    verify(folder, {name: pins[name] for name in present})
    return bool(pins) and present == pins.keys()


def verify(folder: Path, pins: Mapping[str, str]) -> None:
    """Raise :class:`TerminalError` for the first jar whose SHA-256 is not the pinned one."""
    for name, pinned in pins.items():
        if sha256(folder / name) != pinned:
            raise TerminalError(
                "the jar is not the one that was pinned",
                where=Where(file=str(folder / name)),
                then="delete it and run `make setup`; if it comes back the same, do not trust its source",
            )


def sha256(file: Path) -> str:
    """Return the file's SHA-256 in hex."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _fetch(tools: Path, bundle: Bundle, pin: bool) -> None:
    print(f"  resolving {', '.join(bundle.coordinates)}", flush=True)
    resolved = {jar.name: jar for jar in resolve(tools, bundle.coordinates)}
    if pin:
        lines = (f"{sha256(resolved[name])}  {name}\n" for name in sorted(resolved))
        bundle.pin_file.write_text("".join(lines), encoding="utf-8")
    _same_names(bundle, set(resolved))
    for name, jar in resolved.items():
        verify(jar.parent, {name: bundle.pins[name]})
        shutil.move(jar, tools / "jars" / name)


def _same_names(bundle: Bundle, resolved: set[str]) -> None:
    differing = sorted(resolved ^ bundle.pins.keys())
    if differing:
        raise TerminalError(
            f"bundle {bundle.name!r} resolves to other jars than were pinned: {', '.join(differing)}",
            where=Where(file=str(bundle.pin_file)),
            then="if its coordinates were changed on purpose, run `python -m ledgerlake.setup --pin`",
        )
