"""PHP's command line."""

from evaluator.languages import apart
from evaluator.languages.language import Recipe
from evaluator.languages.toolchain import missing_program


class Php:
    name = "php"
    tags = frozenset({"php", "php8", "php7"})

    def missing(self) -> str | None:
        return missing_program("php", "php-cli")

    def recipe(self, source: str) -> Recipe:
        bare = ("php", "-n")  # without the extensions that php.ini loads
        return apart.recipe(source, ".php", run=("php",), look=(*bare, "-l"), tests=bare)
