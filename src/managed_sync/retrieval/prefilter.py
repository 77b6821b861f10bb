"""Searches among the objects of a list, with the store's own filter.

Guarantees:

- Being on the list grants nothing: every hit is checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from managed_sync.effects import Program
from managed_sync.retrieval.object_filter import ObjectFilter
from managed_sync.retrieval.ranking import Hit, distinct
from managed_sync.retrieval.report import Doubt
from managed_sync.retrieval.state import RetrievalState, Sight

__all__ = ["search_among"]

# The fewest hits to learn from whether higher or lower scores are better. One hit, or the same hit
# twice, does not show it.
_GLANCE = 8


def search_among(
    state: RetrievalState,
    object_ids: frozenset[str],
    object_filter: ObjectFilter | None,
    also_check: tuple[str, ...] = (),
) -> Program[bool]:
    """Searches among these objects and checks the hits, until there are enough.

    Returns ``False`` if the store cannot be searched among them; nothing has changed then.

    Args:
        state: The state of the retrieval, which this adds to.
        object_ids: The objects of the list.
        object_filter: The store's own filter, which limits how many objects fit into one search.
        also_check: Objects to check together with the first ones.
    """
    known = state.allowed_in_sight()
    candidates = [one for one in sorted(object_ids) if state.decisions.get(one, True)]
    parts = list(_parts(candidates, object_filter))
    limit = min(state.spec.k, state.spec.max_candidates)
    before: int | None = None
    if not parts:
        state.strategy = "pre_filter"
        state.see(Sight(known, limit, reached_end=True, exact=True, everything=True))
    # A hit not seen yet may be better than those known, so one search is needed in any case.
    while parts and (before is None or not state.finished()):
        found = yield from _search_parts(state, parts, limit)
        if found is None:
            return False
        state.strategy = "pre_filter"
        rankings, short, cut = found
        if state.scores.higher_is_better is None and sum(map(bool, [known, *rankings])) > 1:
            # Parts of one hit each do not show which of them is better.
            glance = yield from state.search(max(_GLANCE, state.spec.first_look))
            state.scores.learn(glance or ())
        if not state.scores.can_order(rankings):
            state.doubts.add(Doubt.SCORES)
        if state.scores.can_order([known, *rankings]):
            together = state.scores.merged([known, *rankings])
        else:
            # The store's order among these objects counts for more than its order among all.
            together = [*state.scores.merged(rankings), *known]
        # Behind the last hit of a part that has more, another part's hits may not be the best.
        last = next((n for n, hit in enumerate(together, 1) if id(hit) in cut), len(together))
        state.see(Sight(distinct(together[:last]), limit))
        yield from state.check(tuple(dict.fromkeys((*state.undecided(), *also_check))))
        also_check = ()
        if short or state.has_enough():
            yield from _inspect(state, parts, short=short)
        # A store that filters after searching may hold more than it returns; one that returns
        # nothing new for a wider search has no way to return it.
        stuck = short and not state.sight.reached_end and len(state.sight.hits) == before
        if state.filter_ignored or stuck or limit >= state.spec.max_candidates:
            break
        before = len(state.sight.hits)
        limit = min(4 * limit, state.spec.max_candidates)
    return True


def _search_parts(
    state: RetrievalState, parts: Sequence[tuple[str, ...]], limit: int
) -> Program[tuple[list[list[Hit]], bool, set[int]] | None]:
    """Returns the hits of each part, whether all were short, and the last hits of the others."""
    rankings: list[list[Hit]] = []
    cut: set[int] = set()
    short = True
    for part in parts:
        found = yield from state.search(limit, part)
        if found is None:
            return None
        state.scores.learn(found)
        if len(found) >= limit:
            short = False
            cut.add(id(found[-1]))
        inside = set(part)
        kept = [hit for hit in found if hit.is_foreign or hit.object_id in inside]
        state.filter_ignored = state.filter_ignored or len(kept) < len(found)
        rankings.append(kept)
    return rankings, short, cut


def _inspect(
    state: RetrievalState, parts: Sequence[tuple[str, ...]], *, short: bool
) -> Program[None]:
    """Finds out whether the hits in sight are in exact order, and all that these objects have."""
    chunks = 0
    for part in parts:
        reach = yield from state.inspect(part, count=short)
        if reach.exhaustive:
            state.see(replace(state.sight, reached_end=short, exact=True, everything=short))
            return
        if not short or reach.chunks is None:
            return
        chunks += reach.chunks
    if len(state.sight.hits) >= chunks:
        state.see(replace(state.sight, reached_end=True, everything=True))


def _parts(
    object_ids: Sequence[str], object_filter: ObjectFilter | None
) -> Iterator[tuple[str, ...]]:
    size = (object_filter.max_objects if object_filter else None) or len(object_ids)
    for start in range(0, len(object_ids), size or 1):
        yield tuple(object_ids[start : start + size])
