"""Resolution of Maven coordinates by Spark's own Ivy, apart from anything else on the machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from xml.sax.saxutils import quoteattr

from ledgerlake.errors import LedgerlakeError, TerminalError, TransientError
from ledgerlake.setup.trust import trust_options

_TIMEOUT_S = 900
_UNREACHABLE = ("UnknownHostException", "ConnectException", "SocketTimeout", "NoRouteToHost", "Network is unreachable")


def resolve(tools: Path, coordinates: Sequence[str]) -> list[Path]:
    """Return the jars of ``coordinates`` and of all they depend on, in a folder of ``tools/ivy``.

    Raises :class:`TransientError` where the repository cannot be reached and
    :class:`TerminalError` where it does not have what is asked.
    """
    ivy = tools / "ivy"
    shutil.rmtree(ivy / "jars", ignore_errors=True)  # Ivy would leave other bundles' jars in it
    ivy.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        _command(tools, ivy, coordinates), env=_environment(tools), cwd=ivy,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=_TIMEOUT_S, check=False,
    )  # fmt: skip
    (ivy / "resolve.log").write_text(done.stdout, encoding="utf-8")
    if done.returncode:
        raise failure_of(done.stdout, ivy / "resolve.log")
    return sorted((ivy / "jars").glob("*.jar"))


def _command(tools: Path, ivy: Path, coordinates: Sequence[str]) -> list[str]:
    """Return a spark-submit of an empty program: its packages are resolved before it starts."""
    program = ivy / "nothing.py"
    program.write_text("", encoding="utf-8")
    return [
        str(pyspark_home() / "bin" / "spark-submit"), "--master", "local[1]",
        "--driver-java-options", " ".join(trust_options(tools)),
        "--conf", f"spark.jars.ivy={ivy}", "--conf", f"spark.jars.ivySettings={_settings(ivy)}",
        "--packages", ",".join(coordinates), str(program),
    ]  # fmt: skip


def _settings(ivy: Path) -> Path:
    """Write Ivy settings with one repository: by default Spark also asks ~/.m2.

    There a ``pom`` whose jar was never fetched makes a whole resolution fail.
    """
    mirror = os.environ.get("DEFAULT_ARTIFACT_REPOSITORY")  # Spark's own variable for a mirror
    root = f" root={quoteattr(mirror)}" if mirror else ""
    file = ivy / "ivysettings.xml"
    file.write_text(
        f"""<ivysettings>
  <settings defaultResolver="central"/>
  <resolvers><ibiblio name="central" m2compatible="true"{root}/></resolvers>
</ivysettings>
""",
        encoding="utf-8",
    )
    return file


def pyspark_home() -> Path:
    """Return the installed pyspark's folder, without importing it."""
    spec = find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise TerminalError("pyspark is not installed", then="run `make setup`")
    return Path(spec.origin).parent


def _environment(tools: Path) -> dict[str, str]:
    home = (tools / "java_home").read_text(encoding="utf-8").strip()
    return os.environ | {"JAVA_HOME": home, "SPARK_HOME": str(pyspark_home()), "PYSPARK_PYTHON": sys.executable}


def failure_of(output: str, log: Path) -> LedgerlakeError:
    """Return the error that says what Ivy's ``output`` means; it is kept whole in ``log``."""
    if "PKIX" in output:
        return TerminalError(
            "the Maven repository's certificate is not trusted",
            then="point SSL_CERT_FILE at your network's CA bundle (PEM) and run `make setup` again",
        )
    if any(sign in output for sign in _UNREACHABLE):
        return TransientError(
            "no network: the Maven repository cannot be reached",
            then="connect, or set DEFAULT_ARTIFACT_REPOSITORY to a mirror, and run `make setup` again",
        )
    missing = [line.strip(": \t") for line in output.splitlines() if "unresolved dependency" in line]
    reason = missing[0] if missing else "Spark's Ivy failed"
    return TerminalError(f"jars cannot be resolved: {reason}", then=f"read {log}")
