"""What routes ask of the running console: its store, its clock, its settings. One place that reads ``app.state``."""

from typing import Annotated, cast

from fastapi import Depends, Request

from console.running import Running
from console.store import Store


def running(request: Request) -> Running:
    """The running console behind a request."""
    return cast(Running, request.app.state.running)


def store(request: Request) -> Store:
    """The database of the running console."""
    return running(request).store


Console = Annotated[Running, Depends(running)]
Database = Annotated[Store, Depends(store)]
