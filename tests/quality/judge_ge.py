"""Great Expectations itself, as the judge of our translation."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import great_expectations as gx
from great_expectations.core import ExpectationSuiteValidationResult
from great_expectations.core.batch_definition import BatchDefinition
from great_expectations.data_context.types.base import ProgressBarsConfig
from pyspark.sql import DataFrame

WholeTable = BatchDefinition[None]


def whole_dataframe() -> WholeTable:
    """Return a batch definition of an ephemeral context that takes any data frame."""
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    source = context.data_sources.add_spark("spark")
    return source.add_dataframe_asset("table").add_batch_definition_whole_dataframe("whole")


def validate(definition: WholeTable, df: DataFrame, path: Path) -> ExpectationSuiteValidationResult:
    """Let Great Expectations load the suite file as it is and validate ``df`` with it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # row_condition as text is deprecated, and works
        suite = gx.ExpectationSuite(**json.loads(path.read_text()))
        batch = definition.get_batch(batch_parameters={"dataframe": df})
        return batch.validate(suite, result_format="BASIC")
