"""What can go wrong while a suite is asked of a gateway, in words that say what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

from evaluator.replaying.client import Refused, Unreachable
from evaluator.sandbox import SandboxError
from evaluator.store.journal import DamagedJournal
from evaluator.store.run_folder import RunBusy
from evaluator.suites import SuiteError
from gateway.cli.failure import ConfigFailure, Failure, MissingFailure
from gateway.cli.gateway_client import where_it_is


@contextmanager
def asking(base_url: str, then: str = "") -> Iterator[None]:
    """``then`` follows the advice where no gateway answers. Raises Failure."""
    try:
        yield
    except Unreachable as error:
        advice = "start one with `weighbridge serve --config FILE`, or name it with --base-url"
        raise MissingFailure(f"no gateway answers at {base_url} ({error}); {advice}{then}") from error
    except SandboxError as error:
        raise MissingFailure(str(error)) from error
    except Refused as error:
        raise ConfigFailure(f"{base_url} refuses: {error}{where_it_is(base_url)}") from error
    except SuiteError as error:
        raise ConfigFailure(str(error)) from error
    except (RunBusy, DamagedJournal) as error:
        raise Failure(str(error)) from error
