"""Knowledge bases and their files."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from memcubed.contract.envelope import Envelope
from memcubed.knowledge.bodies import OPENAPI_BODY, uploads_of
from memcubed.knowledge.schemas import (
    AddedFile,
    CreateBaseData,
    CreateBaseRequest,
    DeleteBaseRequest,
    DeletedData,
    DeleteFilesRequest,
    FileDetail,
    GetFilesData,
    GetFilesRequest,
    read_base_id,
)
from memcubed.knowledge.service import KnowledgeService
from memcubed.knowledge.uploads import UploadLimits
from memcubed.projects.authentication import Authenticate, KeyFirstRoute
from memcubed.projects.model import Project

ADD_FILES_PATH = "/add/knowledgebase-file"
"""The route whose bodies hold files, and so may be larger than others."""


def knowledge_routes(knowledge: KnowledgeService, authenticate: Authenticate, limits: UploadLimits) -> APIRouter:
    """The knowledge base routes, behind authentication."""
    router = APIRouter(tags=["knowledge bases"], route_class=KeyFirstRoute)
    caller = Depends(authenticate)

    @router.post("/create/knowledgebase")
    async def create_knowledgebase(
        request: CreateBaseRequest, project: Annotated[Project, caller]
    ) -> Envelope[CreateBaseData]:
        """A new, empty knowledge base."""
        base = await knowledge.create(project.id, request.knowledgebase_name, request.knowledgebase_description)
        return Envelope(data=CreateBaseData(id=str(base.id)))

    @router.post("/delete/knowledgebase")
    async def delete_knowledgebase(
        request: DeleteBaseRequest, project: Annotated[Project, caller]
    ) -> Envelope[DeletedData]:
        """Delete a knowledge base with its files and memories, for good."""
        await knowledge.delete(project.id, read_base_id(request.knowledgebase_id))
        return Envelope(data=DeletedData())

    @router.post(ADD_FILES_PATH, openapi_extra={"requestBody": OPENAPI_BODY})
    async def add_knowledgebase_file(
        request: Request,
        project: Annotated[Project, caller],
        knowledgebase_id: Annotated[str | None, Query(description="With a form: the knowledge base.")] = None,
        type: Annotated[str | None, Query(description="With a form: what the files are for.")] = None,  # noqa: A002 - the contract's name
    ) -> Envelope[list[AddedFile]]:
        """Add files, in a JSON body or a form; they are read in the background."""
        del knowledgebase_id, type  # read with the form, in whose fields some clients send them
        async with uploads_of(request, limits) as uploads:
            files = await knowledge.add_files(project.id, read_base_id(uploads.base_id), uploads.files)
        return Envelope(data=[AddedFile.of(file) for file in files])

    @router.post("/get/knowledgebase-file")
    async def get_knowledgebase_file(
        request: GetFilesRequest, project: Annotated[Project, caller]
    ) -> Envelope[GetFilesData]:
        """How files stand: those with these ids, or a page of those of a knowledge base, newest first."""
        if request.file_ids is not None:
            files = await knowledge.list_files_by_id(project.id, request.file_ids)
            total, page, size = len(files), 1, len(request.file_ids)
        else:
            page, size = request.page, request.page_size
            files, total = await knowledge.list_files(
                project.id, str(request.knowledgebase_id), request.type, page=page, page_size=size
            )
        details = [FileDetail.of(file) for file in files]
        return Envelope(data=GetFilesData(file_detail_list=details, total=total, page=page, page_size=size))

    @router.post("/delete/knowledgebase-file")
    async def delete_knowledgebase_file(
        request: DeleteFilesRequest, project: Annotated[Project, caller]
    ) -> Envelope[DeletedData]:
        """Delete files with the memories that were made of them, for good."""
        await knowledge.delete_files(project.id, request.file_ids)
        return Envelope(data=DeletedData())

    return router
