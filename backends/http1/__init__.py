"""HTTP/1.1 towards model servers, on httptools' parser: what the data path needs and nothing else.

It follows no redirect, reads no proxy variable, asks for no compression, and repeats nothing by itself. Why it is our
own: docs/decisions/007-clients-of-the-data-path.md.
"""

from backends.http1.client import Client
from backends.http1.connection import ConnectFailed, ConnectionBroke, Response
from backends.http1.origin import Origin

__all__ = ["Client", "ConnectFailed", "ConnectionBroke", "Origin", "Response"]
