"""API tokens of other systems: made with a name, rights and an end; shown once; ended at any time.

Decided here: a token has no more rights than its maker, unless he is a supervisor too, and no district that is not his.
"""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Response

from console.access.rights import RIGHT_NAMES, RIGHTS
from console.access.tokens import MadeToken, NewToken, Token
from console.access.who import Who
from console.api.needs import Console, needs, noun
from console.api.users import NOT_KEPT, no_further_than_himself
from console.paging import After, Limit, Page, behind, next_of
from console.problems import Problem, responses

router = noun("access")

Keeper = Annotated[Who, Depends(needs("tokens"))]


@router.get("/tokens", summary="API tokens · 接口令牌", responses=responses(403, 422))
async def list_tokens(console: Console, _: Keeper, limit: Limit = 50, after: After = None) -> Page[Token]:
    """Newest first, the ended ones too."""
    made_ms, token_id = behind("tokens", after, int, UUID)
    rows = await console.access.tokens.page(made_ms, token_id, limit + 1)
    following = next_of("tokens", rows, limit, lambda token: (token.made_ms, str(token.token_id)))
    return Page[Token](items=rows[:limit], next=following)


@router.post("/tokens", summary="Make an API token · 签发接口令牌", responses=responses(403, 409, 422))
async def make_token(console: Console, response: Response, who: Keeper, wanted: NewToken) -> MadeToken:
    """Its value is told now and never again. Districts left out are those of its maker."""
    response.headers["Cache-Control"] = NOT_KEPT
    access = console.access
    _no_more_than_himself(who, wanted)
    if "districts" not in wanted.model_fields_set and who.districts is not None:
        wanted = wanted.model_copy(update={"districts": list(who.districts)})
    no_further_than_himself(who, wanted.districts)
    made = await access.tokens.make(wanted, who.name, access.clock.now_ms())
    await access.audit.note(who, "token_made", about=str(made.token_id), detail=wanted.model_dump(mode="json"))
    return made


@router.delete("/tokens/{token_id}", summary="End an API token · 停用接口令牌", responses=responses(403, 404, 422))
async def end_token(console: Console, who: Keeper, token_id: UUID) -> Token:
    """Refused from now on."""
    access = console.access
    ended = await access.tokens.end(token_id, who.name, access.clock.now_ms())
    access.forget()
    await access.audit.note(who, "token_ended", about=str(token_id))
    return ended


def _no_more_than_himself(who: Who, wanted: NewToken) -> None:
    beyond = sorted((set(wanted.rights) & RIGHTS["integration"]) - who.rights)
    if not beyond or "supervisor" in who.roles:
        return
    zh = "、".join(RIGHT_NAMES[right][0] for right in beyond)
    en = ", ".join(RIGHT_NAMES[right][1] for right in beyond)
    raise Problem(
        HTTPStatus.FORBIDDEN,
        "beyond_your_rights",
        f"您自己没有这些权限，不能写入令牌：{zh}；请由兼任值班长的用户签发",
        f"you lack these rights yourself and cannot put them into a token: {en}; somebody who is a supervisor as well can",
    )
