"""Looking among the objects of a list, with the store's own filter.

Being on the list grants nothing: what comes back is checked like everything else.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from typing import Any

from managed_sync.permissions.object_filter import ObjectFilter
from managed_sync.permissions.progress import Progress
from managed_sync.permissions.ranking import Hit
from managed_sync.permissions.steps import Search, Step

__all__ = ["search_among"]


def search_among(
    progress: Progress,
    object_ids: frozenset[str],
    object_filter: ObjectFilter | None,
    beside: tuple[str, ...] = (),
) -> Generator[Step, Any, None]:
    """Searches among these objects, checks what comes back, and goes on until it is enough.

    Args:
        progress: What is known so far, and what this adds to.
        object_ids: The objects of the list.
        object_filter: How many of them the store's own filter takes at once, and how surely.
        beside: Objects to check along with the first ones.
    """
    progress.strategy = "pre_filter"
    known = progress.allowed_in_sight()
    candidates = [one for one in sorted(object_ids) if progress.decisions.get(one, True)]
    limit = min(progress.wanted.k, progress.wanted.max_candidates)
    progress.ranking, progress.exhausted, progress.limit = known, not candidates, limit
    progress.stopped_short = False
    before: int | None = None
    # What is known so far may lie behind what is not, so one search is needed in any case.
    while candidates and (before is None or not progress.finished()):
        rankings, short = [known], True
        cut: set[int] = set()
        for part in _parts(candidates, object_filter):
            found: Sequence[Hit] = yield Search(limit, part)
            progress.searches += 1
            progress.learn_direction(found)
            if len(found) >= limit:
                short = False
                cut.add(id(found[-1]))
            inside = set(part)
            # Other projects may have objects of the same ids.
            kept = [hit for hit in found if hit.is_foreign or hit.object_id in inside]
            progress.filter_ignored = progress.filter_ignored or len(kept) < len(found)
            rankings.append(kept)
        progress.limit = limit
        if progress.higher_is_better is None and sum(map(bool, rankings)) > 1:
            # Parts of one hit each do not show which of them is better.
            glance: Sequence[Hit] = yield Search(progress.wanted.k * progress.wanted.overfetch)
            progress.searches += 1
            progress.learn_direction(glance)
        together = progress.merged(*rankings)
        # Behind the last hit of a part that has more, another part's hits may not be the best.
        last = next((n for n, hit in enumerate(together, 1) if id(hit) in cut), len(together))
        progress.set_ranking(together[:last])
        progress.exhausted = short and object_filter is not None and object_filter.exact
        yield from progress.check(tuple(dict.fromkeys((*progress.undecided(), *beside))))
        beside = ()
        # A store that filters after searching may hold more than it brings; one that brings
        # nothing new for a wider search has no way to bring it.
        stuck = short and not progress.exhausted and len(progress.ranking) == before
        if progress.filter_ignored or stuck or limit >= progress.wanted.max_candidates:
            return
        before = len(progress.ranking)
        limit = min(4 * limit, progress.wanted.max_candidates)


def _parts(
    object_ids: Sequence[str], object_filter: ObjectFilter | None
) -> Iterable[tuple[str, ...]]:
    size = (object_filter.max_objects if object_filter else None) or len(object_ids)
    for start in range(0, len(object_ids), size):
        yield tuple(object_ids[start : start + size])
