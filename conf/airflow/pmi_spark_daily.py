"""Each day's text added to one output directory: a DAG for Airflow 3.3 with its provider for Apache Spark 6.3.

One task a stage. The day that ended is an increment of its own: its date is the label, its folder the input. The first
task cuts that folder alone and adds it; the others find in the output directory what has become of it, and the last
refits the vectors from those of the day before.

The tasks are client or cluster mode, Spark's own master, YARN or Kubernetes, as the connection says: the host is the
master, the extra `deploy-mode` the mode (Kubernetes needs apache-airflow-providers-cncf-kubernetes too; Spark's own
master takes Python programs in client mode alone). No key stands here: object stores take theirs from the cluster.

Days are added in order and one at a time: only one run may write to an output directory, and a stage waits for itself
on the day before. Past days are caught up from START on, or again by

    airflow backfill create --dag-id pmi_spark_daily --from-date DAY --to-date DAY --max-active-runs 1

A day that failed holds up the next. Mark the waiting run as failed, clear the failed task, and clear the waiting run
once that has gone through. A stage that was done already is skipped, so clearing more than one must costs little.

Exit status and retries. 75 says try again (the cluster went away, or another run holds the output) and 143 that the
program was told to end: both are retried, after 5, 10, 20, 40 and 60 minutes. 1 and 2 would fail again for the same
reason and are not. How the operator tells of it depends on where the driver runs:

- client mode: spark-submit ends with the program's own exit status;
- Kubernetes, cluster mode: spark-submit does not, but it logs the container's, which the operator reads;
- YARN, cluster mode: spark-submit ends with 1 whatever went wrong. The status stands in YARN's diagnostics, which the
  operator asks for with RM_TRACKING; without it a failure of any kind is retried. YARN itself starts a failed driver
  once more unless spark.yarn.maxAppAttempts is 1.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import DAG, CronDataIntervalTimetable, Param, RetryDecision, RetryPolicy, chain

if TYPE_CHECKING:
    from airflow.sdk import Context

# The first day to add, and when a day is over.
START = datetime(2026, 11, 1, tzinfo=UTC)
DAILY = CronDataIntervalTimetable("@daily", timezone="UTC")
CONNECTION = "spark_default"
# YARN in cluster mode: ask the resource manager at the connection's extra yarn_resourcemanager_webapp_address.
RM_TRACKING = False

PARAMS = {
    "input": Param("s3a://corpora/web", type="string", description="Folder of the days' folders, dt=YYYY-MM-DD."),
    "output": Param("s3a://tables/web", type="string", description="Directory of the artifacts."),
    "home": Param("/opt/pmi_spark", type="string", description="A checkout in which `make package` was run."),
    "config": Param("/opt/pmi_spark/conf/pipeline.toml", type="string", description="Settings, where the driver runs."),
    "driver_python": Param(
        "/opt/pmi_spark/.venv/bin/python",
        type="string",
        description="The driver's Python; ./environment/bin/python in cluster mode.",
    ),
    # As conf/spark-cluster.conf has them; the README derives them.
    "executor_cores": Param(4, type="integer", minimum=1, description="Cores, and Python workers, of an executor."),
    "executor_memory": Param("8g", type="string", description="Heap of an executor: 2 GB a core."),
    "executor_overhead": Param("9g", type="string", description="2 GB (vectors.memory) a core, 1 GB for the JVM."),
    "driver_memory": Param("8g", type="string", description="Heap of the driver, at 10^6 words and 300 dimensions."),
    "driver_overhead": Param("6g", type="string", description="Its Python process: 12 bytes a word and dimension."),
}

# The stages in their order. Phrases are found in all text at once and take no increments: keep phrases.passes at 0.
JOBS = {
    "tokens": "tokenize_corpus.py",
    "vocabulary": "count_vocabulary.py",
    "pairs": "count_pairs.py",
    "pmi": "compute_pmi.py",
    "vectors": "factorize_pmi.py",
}
# The day that ended, not the one on which the run starts.
DAY = "{{ data_interval_start | ds }}"
ARGUMENTS = ["--output", "{{ params.output }}", "--config", "{{ params.config }}", "--log-format", "json"]
INCREMENT = ["--append", "--label", DAY, "--input", f"{{{{ params.input }}}}/dt={DAY}/*"]

# What the program's exit status is, in the operator's words; the first that is found.
EXIT_STATUS = (
    r"User application exited with status (\d+)",
    r"Kubernetes spark exit code is: (\d+)",
    r"Error code is: (-?\d+)",
)
# YARN's client says so, and ends with 1, whatever the program ended with.
STATUS_UNTOLD = "finished with failed status"
TRY_AGAIN = {75: "the cluster went away, or the output is held", 143: "the program was told to end"}


def exit_status(failure: str) -> int | None:
    """The exit status that a failed task's message tells of; None where it tells of none."""
    found = next((match for pattern in EXIT_STATUS if (match := re.search(pattern, failure))), None)
    if found is None or (found.re.pattern == EXIT_STATUS[-1] and STATUS_UNTOLD in failure):
        return None
    return int(found[1]) or None


class RetryByExitStatus(RetryPolicy):
    """Try again where the exit status says so, and where none is known; fail at once where it says otherwise."""

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        status = exit_status(str(exception))
        if status is None:
            return RetryDecision.default()
        if status in TRY_AGAIN:
            return RetryDecision.retry(reason=f"exit status {status}: {TRY_AGAIN[status]}")
        return RetryDecision.fail(reason=f"exit status {status}: it would fail again")


def stage_task(stage: str, job: str) -> SparkSubmitOperator:
    """The task that submits one stage's script."""
    return SparkSubmitOperator(
        task_id=stage,
        name=f"pmi_spark-{stage}-{DAY}",
        conn_id=CONNECTION,
        application=f"{{{{ params.home }}}}/jobs/{job}",
        py_files="{{ params.home }}/dist/pmi_spark.zip",
        properties_file="{{ params.home }}/conf/spark-cluster.conf",
        conf={
            "spark.archives": "{{ params.home }}/dist/environment.tar.gz#environment",
            "spark.pyspark.python": "./environment/bin/python",
            "spark.pyspark.driver.python": "{{ params.driver_python }}",
            "spark.executor.cores": "{{ params.executor_cores }}",
            "spark.executor.memory": "{{ params.executor_memory }}",
            "spark.executor.memoryOverhead": "{{ params.executor_overhead }}",
            "spark.driver.memory": "{{ params.driver_memory }}",
            "spark.driver.memoryOverhead": "{{ params.driver_overhead }}",
            "spark.yarn.maxAppAttempts": "1",
        },
        application_args=ARGUMENTS + (INCREMENT if stage == "tokens" else []),
        # A task that lost its worker submits anew: the lock on the output keeps the second program waiting for the
        # first (exit status 75), and what the first finished is not done again.
        durable=RM_TRACKING,
        yarn_track_via_rm_api=RM_TRACKING,
        depends_on_past=True,
        retries=5,
        retry_policy=RetryByExitStatus(),
        retry_delay=timedelta(minutes=5),
        retry_exponential_backoff=2,
        max_retry_delay=timedelta(hours=1),
    )


with DAG(
    dag_id="pmi_spark_daily",
    description="Add each day's text to the tables and refit the word vectors",
    doc_md=__doc__,
    schedule=DAILY,
    start_date=START,
    catchup=True,
    max_active_runs=1,
    params=PARAMS,
    tags=["pmi_spark"],
) as dag:
    chain(*(stage_task(stage, job) for stage, job in JOBS.items()))
