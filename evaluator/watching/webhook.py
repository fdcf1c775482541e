"""Tells a configured address of each change. Nothing that a request or an answer carries chooses where it goes."""

import asyncio
import logging

import httpx
import msgspec

from policies.admission import Admission

log = logging.getLogger("weighbridge.watch")

_TRIES = 3
_TIMEOUT_S = 10.0


async def tell(url: str, row: Admission, *, wait_s: float = 1.0) -> bool:
    """Posts ``{"text": ..., "admission": {...}}``; False when nobody took it after three tries. Follows no redirect."""
    text = f"{row.route} is {row.state}: {row.reason}"
    content = msgspec.json.encode({"text": text, "admission": row})
    async with httpx.AsyncClient(timeout=_TIMEOUT_S, follow_redirects=False) as client:
        for number in range(_TRIES):
            try:
                answer = await client.post(url, content=content, headers={"content-type": "application/json"})
            except httpx.HTTPError as error:
                said = type(error).__name__
            else:
                if answer.is_success:
                    return True
                said = str(answer.status_code)
            log.warning("the webhook did not take it", extra={"said": said, "try": number + 1})
            await asyncio.sleep(wait_s * 2**number)
    return False
