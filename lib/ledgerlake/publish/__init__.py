"""Publishing: gated slices go to Snowflake, staged and verified, in one transaction.

``SnowflakePublisher`` is the door; ``keyhash`` gives Spark the figure that Snowflake must
confirm; ``query`` answers read-only questions; ``governance`` writes grants and masking.
"""

from ledgerlake.publish.model import (
    LedgerRow,
    Publication,
    PublishedColumn,
    PublishOutcome,
    TableSlice,
    Target,
)
from ledgerlake.publish.publisher import SnowflakePublisher

__all__ = [
    "LedgerRow",
    "Publication",
    "PublishOutcome",
    "PublishedColumn",
    "SnowflakePublisher",
    "TableSlice",
    "Target",
]
