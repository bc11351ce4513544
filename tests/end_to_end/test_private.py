"""Nothing secret is in reach of other users of the machine: processes, files, addresses in messages."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

from project import ROOT
from test_kill import DAY, shop

KEYS = {
    "LAKE_KEY": "AKIA-lake-key-4711",
    "LAKE_SECRET": "lake-secret-4711/xyz",
    "SHOP_HOOK": "https://h/hook-4711-hook",
}
LOOK = """
import json, os, sys
from pathlib import Path
from ledgerlake.config.environment import Environment, S3Settings
from ledgerlake.config.models import Pipeline, PipelineFile
from ledgerlake.lake.workspace import Workspace
from ledgerlake.ports.clock import SystemClock
from ledgerlake.ports.secrets import ReferencedSecrets

spec = PipelineFile.model_validate({"pipeline": "shop", "sources": {}, "marts": [], "alerts": {"webhook": "env:SHOP_HOOK"},
                                    "publication": {"database": "D", "schema": "S", "bi_schema": "B"}})
s3 = S3Settings(endpoint="http://127.0.0.1:9", access_key="env:LAKE_KEY", secret_key="env:LAKE_SECRET")
environment = Environment(environment="test", lake="s3://lake", sources="s3://sources", s3=s3,
                          spark={"settings": {"spark.local.dir": sys.argv[1], "spark.hadoop.fs.s3a.session.token": "env:LAKE_SECRET"}})
pipeline = Pipeline(folder=Path("."), spec=spec, tables={}, sql={}, suites={}, alert_sql={})
spark = Workspace(pipeline, environment, ReferencedSecrets(), SystemClock()).spark()
jvm = [p for t in Path("/proc/self/task").iterdir() for p in (t / "children").read_text().split()]
read = lambda file: [Path(f"/proc/{p}/{file}").read_bytes().decode(errors="replace") for p in jvm]
found = spark.sparkContext._jsc.hadoopConfiguration()
print(json.dumps({
    "jvm": {"cmdline": read("cmdline"), "environ": read("environ"), "settings": [*map(list, spark.sparkContext.getConf().getAll())],
            "properties": str(spark._jvm.java.lang.System.getProperties())},
    "worker": spark.sparkContext.parallelize([1], 1).map(lambda _: dict(os.environ)).collect(),
    "known": [found.get("fs.s3a.access.key"), found.get("fs.s3a.secret.key"), found.get("fs.s3a.session.token")],
    "own": os.environ["LAKE_KEY"],
}))
"""


def test_keys_of_the_lake_are_neither_in_the_command_line_nor_in_the_environment_of_the_jvm(tmp_path: Path) -> None:
    variables = os.environ | KEYS | {"PYTHONPATH": str(ROOT / "lib"), "LEDGERLAKE_TOOLS": str(ROOT / ".tools")}
    done = subprocess.run(
        [sys.executable, "-c", LOOK, str(tmp_path)], env=variables, cwd=tmp_path, capture_output=True, text=True,
        timeout=300, check=True,
    )  # fmt: skip
    seen = json.loads(done.stdout)

    assert "SparkSubmit" in seen["jvm"]["cmdline"][0]
    assert seen["known"] == [KEYS["LAKE_KEY"], KEYS["LAKE_SECRET"], KEYS["LAKE_SECRET"]]
    assert seen["own"] == KEYS["LAKE_KEY"]  # this process still has what it was given
    for secret in KEYS.values():
        assert secret not in json.dumps([seen["jvm"], seen["worker"]])
        assert secret not in done.stderr


def test_lake_and_reports_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    project = shop(tmp_path)
    ours = {*tmp_path.rglob("*")}
    project.command(*DAY)

    written = [p for p in tmp_path.rglob("*") if p not in ours]
    open_to_others = [str(p) for p in written if stat.S_IMODE(p.lstat().st_mode) & 0o077]
    assert {"lake", "reports", "snowflake"} <= {p.name for p in written}
    assert open_to_others == []
