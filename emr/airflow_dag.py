"""An Airflow DAG that runs one ledgerlake pipeline a day on EMR Serverless.

Copy it into your DAGs folder, with ``job-run.json`` beside it. Start it by hand with other
parameters to run another pipeline or date again (raise ``attempt`` then).
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow import DAG
from airflow.models.param import Param
from airflow.providers.amazon.aws.operators.emr import EmrServerlessStartJobOperator

REQUEST = json.loads(Path(__file__).with_name("job-run.json").read_text(encoding="utf-8"))
DATE = "{{ params.date or ds }}"  # the logical date, unless a date is given

spark_submit = REQUEST["jobDriver"]["sparkSubmit"] | {"entryPointArguments": ["{{ params.pipeline }}", "--date", DATE]}

with DAG(
    dag_id="ledgerlake",
    schedule="0 4 * * *",
    start_date=datetime(2026, 3, 1, tzinfo=UTC),
    catchup=True,
    max_active_runs=1,  # days depend on each other: the oldest first
    params={
        "pipeline": Param("ledgerbox", type="string"),
        "date": Param(None, type=["null", "string"], format="date"),
        "attempt": Param(1, type="integer", minimum=1),
    },
):
    EmrServerlessStartJobOperator(
        task_id="run",
        application_id=REQUEST["applicationId"],
        execution_role_arn=REQUEST["executionRoleArn"],
        name=f"ledgerlake run {{{{ params.pipeline }}}} --date {DATE}",
        client_request_token=f"{{{{ params.pipeline }}}}-{DATE}-{{{{ params.attempt }}}}",
        job_driver={"sparkSubmit": spark_submit},
        configuration_overrides=REQUEST["configurationOverrides"],
        config={
            "executionTimeoutMinutes": REQUEST["executionTimeoutMinutes"],
            "retryPolicy": REQUEST["retryPolicy"],
            "tags": REQUEST["tags"],
        },
        waiter_delay=30,
        waiter_max_attempts=240,
        retries=2,
        retry_delay=timedelta(minutes=5),
    )
