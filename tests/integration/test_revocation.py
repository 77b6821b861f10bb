"""A change of permissions in the source holds at the next question, without touching the index."""

from __future__ import annotations

from pathlib import Path

import pytest
from langchain_core.vectorstores import InMemoryVectorStore

from managed_sync import AccessChecker, IndexSync
from managed_sync.langchain import BundledEmbeddings, LangChainTarget, PermissionAwareRetriever
from tests.support.sample_company import Company

QUESTION = "What retention payment is proposed for Bram de Wit?"
PROPOSAL = "Compensation proposal 2026.pptx"
CAROL = "carol@harbor.example"
GRANT = "owner: [group:people], editor: [carol@harbor.example]"


@pytest.fixture
def retriever(company: Company, tmp_path: Path) -> PermissionAwareRetriever:
    store = InMemoryVectorStore(BundledEmbeddings())
    sync = IndexSync(company.client, LangChainTarget(store), tmp_path / "ledger.db")
    company.index(sync)
    return PermissionAwareRetriever(
        vectorstore=store, checker=AccessChecker(company.client), k=3
    ).for_subject(CAROL)


def titles(retriever: PermissionAwareRetriever) -> set[str]:
    return {document.metadata["title"] for document in retriever.invoke(QUESTION)}


def test_a_revoked_passage_is_gone_at_once_and_a_granted_one_is_back(
    company: Company, retriever: PermissionAwareRetriever
) -> None:
    permissions = company.folder / "permissions.yaml"
    before = permissions.read_text(encoding="utf-8")
    assert PROPOSAL in titles(retriever)

    permissions.write_text(before.replace(GRANT, "owner: [group:people]"), encoding="utf-8")
    company.sync()
    assert PROPOSAL not in titles(retriever)

    permissions.write_text(before, encoding="utf-8")
    company.sync()
    assert PROPOSAL in titles(retriever)


@pytest.mark.slow
def test_a_malformed_permissions_file_leaves_the_last_good_permissions_in_force(
    company: Company, retriever: PermissionAwareRetriever
) -> None:
    permissions = company.folder / "permissions.yaml"
    before = permissions.read_text(encoding="utf-8")

    permissions.write_text(before + "\nfiles: [unfinished", encoding="utf-8")
    company.client.enable_sync("googleDrive", "files")
    with pytest.raises(Exception, match=r"permissions\.yaml"):
        company.client.wait_until_idle("googleDrive", "files")

    assert PROPOSAL in titles(retriever)
    permissions.write_text(before, encoding="utf-8")
    company.sync()
