"""What goes wrong outside the generation endpoints, in the client's own wire shape."""

from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from gateway.api import anthropic_error, openai_error
from gateway.problem import Problem

_MESSAGES = {404: "there is no {}", 405: "{}: this method is not allowed here"}
_CODES = {404: "not_found", 405: "method_not_allowed"}


async def _problem(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, Problem)
    shape = anthropic_error if "anthropic-version" in request.headers else openai_error
    status, headers, body = shape.response(problem)
    return Response(body, status, {name.decode(): value.decode() for name, value in headers})


async def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    where = f"{request.method} {request.url.path[:200]}"
    message = _MESSAGES.get(error.status_code, str(error.detail)).replace("{}", where)
    code = _CODES.get(error.status_code, "http_error")
    return await _problem(request, Problem(error.status_code, code, message))


async def _invalid_parameters(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    name = str(first["loc"][-1])
    return await _problem(request, Problem(400, "invalid_parameter", f"{name}: {first['msg']}", param=name))


EXCEPTION_HANDLERS: dict[Any, Any] = {
    Problem: _problem,
    HTTPException: _http_exception,
    RequestValidationError: _invalid_parameters,
}
