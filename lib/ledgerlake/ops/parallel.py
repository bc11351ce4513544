"""Work on a graph of names with a few threads: each as soon as what it depends on is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter


def run_graph(graph: Mapping[str, set[str]], work: Callable[[str], None], threads: int) -> dict[str, BaseException]:
    """Call ``work`` once per name, dependencies first, and return the errors by name.

    ``graph`` maps each name to the names it depends on. A name whose dependency failed is
    worked on all the same: what that means is for ``work`` to say. Among names that are ready
    those with most dependents go first, so that long chains start early.
    """
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    weight = {name: _dependents(graph, name) for name in graph}
    errors: dict[str, BaseException] = {}
    running: dict[Future[None], str] = {}
    waiting: list[str] = []
    with ThreadPoolExecutor(threads, "work") as pool:
        while sorter.is_active():
            waiting = sorted([*waiting, *sorter.get_ready()], key=lambda n: (-weight[n], n))
            while waiting and len(running) < threads:
                name = waiting.pop(0)
                running[pool.submit(work, name)] = name
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                name = running.pop(future)
                error = future.exception()
                if error is not None:
                    errors[name] = error
                sorter.done(name)
    return errors


def _dependents(graph: Mapping[str, set[str]], name: str) -> int:
    direct = [other for other, needs in graph.items() if name in needs]
    return len(direct) + sum(_dependents(graph, other) for other in direct)
