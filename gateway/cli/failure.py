"""Why a command ends early, for a person; `weighbridge --help` documents the exit codes."""


class Failure(Exception):
    """Ends the command with ``exit_code`` and one line on standard error that says what to do."""

    exit_code = 1


class ConfigFailure(Failure):
    exit_code = 2


class MissingFailure(Failure):
    exit_code = 3
