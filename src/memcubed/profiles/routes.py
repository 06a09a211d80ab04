"""The routes of profile templates and profiles."""

from typing import Annotated

from fastapi import APIRouter, Depends

from memcubed.contract.envelope import Envelope
from memcubed.profiles.schemas import (
    AddTemplateRequest,
    BindRequest,
    EditProfileRequest,
    ListTemplatesRequest,
    ProfileData,
    ProfileRequest,
    SuccessData,
    TemplateData,
    TemplateIdData,
    TemplateRequest,
    TemplatesData,
    UpdateTemplateRequest,
)
from memcubed.profiles.service import ProfileService
from memcubed.projects.authentication import Authenticate, KeyFirstRoute
from memcubed.projects.model import Project


def profile_routes(profiles: ProfileService, authenticate: Authenticate) -> APIRouter:
    """The profile routes, behind authentication."""
    router = APIRouter(tags=["profiles"], route_class=KeyFirstRoute)
    caller = Depends(authenticate)

    @router.post("/add/profile_template")
    async def add_profile_template(
        request: AddTemplateRequest, project: Annotated[Project, caller]
    ) -> Envelope[TemplateIdData]:
        """A form for profiles: groups of fields."""
        template = await profiles.add_template(project.id, request)
        return Envelope(data=TemplateIdData(id=str(template.id), profile_template_id=str(template.id)))

    @router.post("/get/profile_template")
    async def get_profile_template(
        request: TemplateRequest, project: Annotated[Project, caller]
    ) -> Envelope[TemplateData]:
        """A template, whole."""
        return Envelope(data=TemplateData.of(await profiles.get_template(project.id, request.profile_template_id)))

    @router.post("/list/profile_template")
    async def list_profile_template(
        request: ListTemplatesRequest, project: Annotated[Project, caller]
    ) -> Envelope[TemplatesData]:
        """The project's templates, newest first."""
        templates, total = await profiles.list_templates(project.id, request)
        return Envelope(data=TemplatesData.of(templates, total, request))

    @router.post("/update/profile_template")
    async def update_profile_template(
        request: UpdateTemplateRequest, project: Annotated[Project, caller]
    ) -> Envelope[SuccessData]:
        """Change a template; its profiles gain new fields and lose those that are gone."""
        await profiles.update_template(project.id, request)
        return Envelope(data=SuccessData())

    @router.post("/delete/profile_template")
    async def delete_profile_template(
        request: TemplateRequest, project: Annotated[Project, caller]
    ) -> Envelope[SuccessData]:
        """Remove a template and its profiles."""
        await profiles.delete_template(project.id, request.profile_template_id)
        return Envelope(data=SuccessData())

    @router.post("/bind/profile_template")
    async def bind_profile_template(request: BindRequest, project: Annotated[Project, caller]) -> Envelope[SuccessData]:
        """Give users and agents profiles, which conversations then fill."""
        await profiles.bind(project.id, request)
        return Envelope(data=SuccessData())

    @router.post("/edit/profile")
    async def edit_profile(request: EditProfileRequest, project: Annotated[Project, caller]) -> Envelope[ProfileData]:
        """Set, lock, open and clear fields by hand."""
        return Envelope(data=ProfileData.of(await profiles.edit(project.id, request)))

    @router.post("/delete/profile")
    async def delete_profile(request: ProfileRequest, project: Annotated[Project, caller]) -> Envelope[SuccessData]:
        """Remove a user's or an agent's profile."""
        await profiles.delete(project.id, request)
        return Envelope(data=SuccessData())

    return router
