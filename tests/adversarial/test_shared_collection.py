"""Whatever the pipelines of several projects do in one collection: each holds what it would hold
alone, and nobody finds a passage of another project.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.vectorstores import InMemoryVectorStore

from managed_sync import AccessChecker, IndexSync, SyncedRecord
from managed_sync.langchain import LangChainTarget, PermissionAwareRetriever
from managed_sync.retrieval.effects import Strategy
from tests.support.draws import draws
from tests.support.frameworks import STRATEGIES
from tests.support.hash_embeddings import HashEmbeddings
from tests.support.indexing import AT_ONCE
from tests.support.permission_service import FakePermissionService
from tests.support.record_source import ChangingSource

PROJECTS = ("north", "south")
INTEGRATIONS = ("box", "drive")
TEXTS = ("The plan.", "The pay.", "The plan. It is new.")
USER = "ann@x.example"


class Pipeline(NamedTuple):
    project: str
    integration: str


PIPELINES = [Pipeline(project, name) for project in PROJECTS for name in INTEGRATIONS]


class PipelineSource(ChangingSource):
    """The files of one pipeline, whose ids other pipelines have too."""

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__()
        self.project_id = pipeline.project
        self.integration = pipeline.integration

    def get_record(self, record_id: str) -> SyncedRecord:
        record = super().get_record(record_id)
        return record.model_copy(update={"integration": self.integration})


class Step(NamedTuple):
    """One change of a pipeline, and how its index is brought up to date afterwards."""

    pipeline: Pipeline
    record: str
    text: str | None
    how: Literal["run", "rebuild", "apply", "repair", "later"]


STEPS = st.builds(
    Step,
    st.sampled_from(PIPELINES),
    st.sampled_from(["1", "2"]),
    st.sampled_from([*TEXTS, None]),
    st.sampled_from(["run", "rebuild", "apply", "repair", "later"]),
)


def bring_up_to_date(sync: IndexSync, step: Step) -> None:
    names: dict[str, Any] = {"integration": step.pipeline.integration, "sync_type": "files"}
    match step.how:
        case "run":
            sync.run(**names)
        case "rebuild":
            sync.run(**names, rebuild=True)
        case "apply":
            sync.apply([step.record], **names)
        case "repair":
            sync.verify(**names, repair=True)


def held(store: InMemoryVectorStore, pipeline: Pipeline) -> dict[str, Any]:
    """Returns the chunks that the collection holds of a pipeline, by id."""
    return {
        key: (value["text"], value["metadata"])
        for key, value in store.store.items()
        if (value["metadata"]["project_id"], value["metadata"]["integration"]) == pipeline
    }


@settings(
    max_examples=draws(5),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    steps=st.lists(STEPS, min_size=1, max_size=12),
    readable=st.fixed_dictionaries(
        {project: st.sets(st.sampled_from(["file:1", "file:2"])) for project in PROJECTS}
    ),
    strategy=st.sampled_from(STRATEGIES),
)
def test_each_pipeline_has_what_it_would_have_alone_and_each_user_what_is_of_the_project(
    steps: list[Step], readable: dict[str, set[str]], strategy: Strategy
) -> None:
    store = InMemoryVectorStore(HashEmbeddings())
    sources = {pipeline: PipelineSource(pipeline) for pipeline in PIPELINES}
    with TemporaryDirectory() as name:
        ledger = Path(name) / "ledger.db"
        syncs = {
            pipeline: IndexSync(source, LangChainTarget(store), ledger, retries=AT_ONCE)
            for pipeline, source in sources.items()
        }
        for step in steps:
            others = {one: held(store, one) for one in PIPELINES if one != step.pipeline}
            if step.text is None:
                sources[step.pipeline].files.pop(step.record, None)
            else:
                sources[step.pipeline].write(step.record, step.text)
            bring_up_to_date(syncs[step.pipeline], step)
            assert {one: held(store, one) for one in others} == others

        for pipeline, sync in syncs.items():
            sync.run(integration=pipeline.integration, sync_type="files")
            alone = InMemoryVectorStore(HashEmbeddings())
            scratch = Path(name) / f"{pipeline.project}-{pipeline.integration}.db"
            IndexSync(sources[pipeline], LangChainTarget(alone), scratch).run(
                integration=pipeline.integration, sync_type="files"
            )
            assert held(store, pipeline) == held(alone, pipeline)

    for project in PROJECTS:
        checker = AccessChecker(FakePermissionService(*readable[project], project_id=project))
        retriever = PermissionAwareRetriever(
            vectorstore=store, checker=checker, k=20, strategy=strategy
        )
        found = retriever.invoke("What is the plan?", subject=USER)
        assert {document.id for document in found} == {
            key
            for pipeline in PIPELINES
            if pipeline.project == project
            for key, (_, metadata) in held(store, pipeline).items()
            if metadata["object_id"] in readable[project]
        }
