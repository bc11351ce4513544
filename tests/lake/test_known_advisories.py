"""Libraries of Spark with known advisories are not the ones that run."""

from __future__ import annotations

from pathlib import Path

import pytest
from ledgerlake.setup.jars import BUNDLES
from pyspark.sql import SparkSession

RAISED = {
    "net.jpountz.lz4.LZ4Factory": "at.yawk.lz4_lz4-java-",
    "org.postgresql.Driver": "org.postgresql_postgresql-",
    "org.xerial.snappy.Snappy": "org.xerial.snappy_snappy-java-",
    "org.apache.commons.lang3.StringUtils": "org.apache.commons_commons-lang3-",
    "org.apache.commons.compress.archivers.zip.ZipFile": "org.apache.commons_commons-compress-",
}


@pytest.mark.parametrize(("name", "jar"), RAISED.items())
def test_the_class_that_runs_comes_from_the_raised_jar(spark: SparkSession, name: str, jar: str) -> None:
    loader = spark._jvm.java.lang.Thread.currentThread().getContextClassLoader()  # type: ignore[union-attr]

    location = loader.loadClass(name).getProtectionDomain().getCodeSource().getLocation().toString()

    assert Path(location).name in BUNDLES["core"].pins
    assert Path(location).name.startswith(jar)


def test_the_page_names_what_is_raised() -> None:
    page = (Path(__file__).parents[2] / "docs" / "security.md").read_text()

    for coordinate in BUNDLES["core"].coordinates:
        group, name, version = coordinate.split(":")
        if any(f"{group}_{name}-" == jar for jar in RAISED.values()):
            assert f"`{group}:{name}:{version}`" in page


def test_compressed_shuffles_are_read_by_the_raised_codecs(spark: SparkSession) -> None:
    rows = spark.range(0, 2000, 1, 3).selectExpr("id % 7 AS k", "repeat('x', 50) AS v").groupBy("k").count()

    assert sum(r["count"] for r in rows.collect()) == 2000
