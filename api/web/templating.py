"""How a page is rendered: Jinja2 templates of this package, everything escaped.

What every page needs (who is logged in, the form token, the path) comes from the request, so that no route forgets it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse

from api.web.formatting import FILTERS

HERE = Path(__file__).parent

_environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(HERE / "templates"),
    autoescape=True,
    # A misspelt name must fail in a test, not leave a gap on a page.
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters.update(FILTERS)


def render_page(
    request: Request, template: str, *, status: int = 200, headers: Mapping[str, str] | None = None, **values: object
) -> HTMLResponse:
    """`template` with `values`, as an answer to `request`."""
    login = getattr(request.state, "login", None)
    text = _environment.get_template(template).render(login=login, path=request.url.path, **values)
    return HTMLResponse(text, status_code=status, headers=dict(headers or {}))
