"""Which tasks are one source problem in several languages: they are hard or easy together, so they are one unit."""

_SPELLINGS = {
    "bash": {"sh"},
    "cpp": {"c++"},
    "csharp": {"cs", "c#"},
    "javascript": {"js"},
    "perl": {"pl"},
    "python": {"py"},
    "ruby": {"rb"},
    "rust": {"rs"},
    "typescript": {"ts"},
}


def source_problem(task_id: str, language: str) -> str:
    """The task's id without the part that names its language, and without what differs by a language's taste.

    ``CPP/3`` and ``Java/3`` are one problem, and so are ``python/order_total`` and ``javascript/orderTotal``.
    """
    spellings = {language, *_SPELLINGS.get(language, ())}
    parts = [part for part in task_id.lower().split("/") if part not in spellings]
    return "/".join(parts or [task_id]).replace("_", "").replace("-", "")
