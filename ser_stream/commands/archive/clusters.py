"""Tasks on ray or dask, where one machine is too small.

Results come in the order of the tasks. Both do a task anew whose worker was lost, and
neither hands out a result twice. Recordings are read where the worker runs: they, and
ser-stream, must be there under the same names.
"""

import logging
import socket
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any

from ser_stream.commands.archive.task import Job, Result, run_all
from ser_stream.commands.archive.workers import AHEAD, batches
from ser_stream.commands.extras import of_extra
from ser_stream.errors import SerStreamError

CONNECT_S = 10.0
"""How long a connection to a cluster may take."""


def on_ray(
    job: Job, names: Sequence[str], jobs: int, address: str | None
) -> Iterator[Result]:
    """Run tasks on a cluster of ray, or on so many workers that are started here.

    Raises:
        MissingLibraryError: without the extra `ray`.
        SerStreamError: if there is no cluster at the address.
    """
    _check_reachable("ray", address)
    with of_extra("ray", "--engine ray"):
        ray: Any = import_module("ray")
    options: dict[str, Any] = {"logging_level": "error", "log_to_driver": False}
    if address is None:
        options |= {"num_cpus": jobs, "include_dashboard": False}
    else:
        options["address"] = address
    try:
        ray.init(**options)
    except Exception as error:
        raise _unreachable("ray", address, error) from error
    try:
        # A worker that is lost is started anew, as often as it takes.
        task = ray.remote(num_cpus=1, max_retries=-1)(run_all)
        workers = max(1, int(ray.cluster_resources().get("CPU", jobs)))

        def submit(some: Sequence[str]) -> Any:
            return task.remote(job, some)

        yield from _in_order(names, submit, ray.get, workers)
    finally:
        ray.shutdown()


def on_dask(
    job: Job, names: Sequence[str], jobs: int, address: str | None
) -> Iterator[Result]:
    """Run tasks on a cluster of dask, or on so many workers that are started here.

    Raises:
        MissingLibraryError: without the extra `dask`.
        SerStreamError: if there is no cluster at the address.
    """
    _check_reachable("dask", address)
    with of_extra("dask", "--engine dask"):
        distributed: Any = import_module("distributed")
    for name in [*logging.root.manager.loggerDict]:
        if name.startswith("distributed"):
            # It tells of each lost worker; what matters comes as an exception.
            logging.getLogger(name).setLevel(logging.CRITICAL)
    cluster = None
    try:
        if address is None:
            cluster = distributed.LocalCluster(
                n_workers=jobs,
                threads_per_worker=1,
                dashboard_address=None,
                silence_logs=logging.CRITICAL,
            )
        client = distributed.Client(cluster if address is None else address, timeout=20)
    except Exception as error:
        raise _unreachable("dask", address, error) from error
    try:
        workers = max(1, len(client.scheduler_info()["workers"]))

        def submit(some: Sequence[str]) -> Any:
            return client.submit(run_all, job, some, pure=False, retries=3)

        yield from _in_order(names, submit, lambda one: one.result(), workers)
    finally:
        client.close()
        if cluster is not None:
            cluster.close()


def _in_order(
    names: Sequence[str],
    submit: Callable[[Sequence[str]], Any],
    result: Callable[[Any], list[Result]],
    workers: int,
) -> Iterator[Result]:
    waiting = deque[Any]()
    for some in batches(names, workers):
        waiting.append(submit(some))
        if len(waiting) >= workers * AHEAD:
            yield from result(waiting.popleft())
    while waiting:
        yield from result(waiting.popleft())


def _check_reachable(what: str, address: str | None) -> None:
    """They themselves try for long, and ray prints what it thinks of it."""
    host, colon, port = (address or "").rpartition("://")[2].rpartition(":")
    if not colon or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise _unreachable(what, address, error) from None


def _unreachable(what: str, address: str | None, error: Exception) -> SerStreamError:
    where = f"at {address}" if address else "on this machine"
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    return SerStreamError(f"there is no cluster of {what} {where}: {text}")


ENGINES = {"ray": on_ray, "dask": on_dask}
"""By the name that `--engine` takes."""
