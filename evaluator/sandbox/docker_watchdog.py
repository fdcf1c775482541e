"""Removes a judge's containers when the judge has died. A process of its own: WATCHDOG HOST LABEL.

It waits for the end of its standard input, which comes with the judge's death, be it by SIGKILL; a line before that
says that nothing is left to do.
"""

import contextlib
import sys
import time

_TRIES = 120  # half a minute: a container may have been in the making, on a busy machine


def main(host: str, judge: str) -> None:
    if sys.stdin.readline():
        return
    import docker  # noqa: PLC0415 (20 MB, for the rare case)

    client = docker.APIClient(base_url=host, version="auto")
    for _ in range(_TRIES):
        for container in client.containers(all=True, filters={"label": f"weighbridge.judge={judge}"}):
            with contextlib.suppress(docker.errors.APIError):  # somebody else's work, or the next round's
                client.remove_container(container["Id"], force=True, v=True)
        time.sleep(0.25)


if __name__ == "__main__":
    main(*sys.argv[1:])
