"""Logs as JSON, a line an event, on standard error. No prompt, key or answer is ever logged."""

import json
import logging
import sys
import time
from collections.abc import Mapping

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


class JsonLines(logging.Formatter):
    """Time, level, logger, message, and whatever the call gave as ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        extra: Mapping[str, object] = {key: value for key, value in vars(record).items() if key not in _OWN}
        line = {
            "at": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **extra,
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("weighbridge").setLevel(logging.INFO)
