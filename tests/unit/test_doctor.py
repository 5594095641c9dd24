"""What the doctor makes of the workers' answers."""

from __future__ import annotations

import pytest

from pmi_spark.doctor import WorkerFacts, check_packages, compare_workers, worker_facts

DRIVER = WorkerFacts("3.11.7", "2.4.6", "26.0.1", "1")


def test_workers_like_the_driver_need_no_cure() -> None:
    found = list(compare_workers(DRIVER, {DRIVER}))
    assert [cure for _, cure in found] == [None] * 4
    assert found[0] == ("python in the workers: 3.11.7", None)


@pytest.mark.parametrize(("place", "name"), [(0, "python"), (1, "numpy"), (2, "pyarrow")])
def test_another_version_in_one_worker_is_told(place: int, name: str) -> None:
    other = WorkerFacts(*(f"{value}x" if index == place else value for index, value in enumerate(DRIVER)))
    found = dict(compare_workers(DRIVER, {DRIVER, other}))
    told = f"{name} in the workers: {DRIVER[place]}, {DRIVER[place]}x"
    assert found[told] == f"give driver and executors one environment; the driver has {DRIVER[place]}"
    assert sum(cure is not None for cure in found.values()) == 1


@pytest.mark.parametrize(("threads", "told"), [("8", "8"), ("", "as many as there are cores")])
def test_more_than_one_blas_thread_is_told(threads: str, told: str) -> None:
    *_, (found, cure) = compare_workers(DRIVER, {DRIVER._replace(blas_threads=threads)})
    assert found == f"BLAS threads a worker: {told}"
    assert cure is not None
    assert "spark.executorEnv.OMP_NUM_THREADS" in cure


def test_threads_are_those_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    assert worker_facts().blas_threads == ""
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "4")
    assert worker_facts().blas_threads == "4"


def test_the_packages_of_this_environment_are_all_there() -> None:
    found, cure = check_packages()
    assert "pyspark 4" in found
    assert cure is None
