"""download/skill."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends
from starlette.responses import Response

from memcubed.projects.authentication import Authenticate, KeyFirstRoute
from memcubed.projects.model import Project
from memcubed.skills.service import SkillFile, SkillService


def skill_routes(skills: SkillService, authenticate: Authenticate) -> APIRouter:
    """The route that `skill_url` leads to, behind authentication."""
    router = APIRouter(tags=["skills"], route_class=KeyFirstRoute)
    caller = Depends(authenticate)

    @router.get(
        "/download/skill/{skill_id}",
        response_class=Response,
        responses={200: {"content": {"text/markdown": {}, "application/zip": {}}, "description": "The skill's file."}},
    )
    async def download_skill(skill_id: str, project: Annotated[Project, caller]) -> Response:
        """The file of a skill, without the envelope: Markdown, or the zip that was uploaded."""
        file = await skills.download(project.id, skill_id)
        return Response(file.content, media_type=file.media_type, headers=_headers(file))

    return router


def _headers(file: SkillFile) -> dict[str, str]:
    return {
        # Saved and never shown: what users sent must not run in a browser as if it were this service's.
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name, safe='')}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox",
    }
