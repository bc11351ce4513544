"""Where everything lives in the lake, relative to its root."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LakePaths:
    """The layout of one pipeline's lake below ``root`` (a folder or an ``s3a://`` prefix)."""

    root: str
    pipeline: str

    def bronze(self, table: str) -> str:
        """Return the table's append-only change log."""
        return f"{self.root}/bronze/{self.pipeline}/{table}"

    def silver(self, table: str) -> str:
        """Return the table's current state."""
        return f"{self.root}/silver/{self.pipeline}/{table}"

    def history(self, table: str) -> str:
        """Return the table's versions, beside its current state."""
        return self.silver(f"{table}_history")

    def mart(self, mart: str) -> str:
        """Return the mart, all candidates included; readers go through publications."""
        return f"{self.root}/marts/{self.pipeline}/{mart}"

    def quarantine(self) -> str:
        """Return the pipeline's refused and held rows."""
        return f"{self.root}/quarantine/{self.pipeline}"

    def control(self, table: str) -> str:
        """Return a control table."""
        return f"{self.root}/control/{table}"

    def export(self, publication_id: str, mart: str) -> str:
        """Return the run-scoped folder of Parquet that a publication sends."""
        return f"{self.root}/export/{self.pipeline}/{publication_id}/{mart}"
