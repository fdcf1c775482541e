"""Whether a request is also mirrored to a policy's shadow, whose answer nobody sees."""

from collections.abc import Container
from dataclasses import dataclass

from backends.route import Route
from policies.dealing import is_drawn, salt_of
from policies.kinds import Shadow
from policies.request import REQUEST_REQUIREMENTS, RequestTraits
from policies.requirements import Finding


@dataclass(frozen=True, slots=True)
class Mirror:
    """A shadow's route. ``broken`` is the first fact that the policy requires and the route lacks: then never."""

    shadow: Shadow
    route: Route
    salt: int
    broken: Finding | None

    @classmethod
    def of(cls, policy: str, shadow: Shadow, route: Route, broken: Finding | None) -> "Mirror":
        return cls(shadow, route, salt_of(policy, "shadow", route.name), broken)

    def judge(self, request: RequestTraits, available: Container[str] | None, chosen: Route | None) -> Finding:
        """Kept: a request that ``chosen`` answers is mirrored, as far as the budget goes."""
        return Finding("shadow", *self._judged(request, available, chosen))

    def takes(self, request: RequestTraits, available: Container[str] | None, chosen: Route) -> bool:
        return self._judged(request, available, chosen)[0]

    def _judged(
        self, request: RequestTraits, available: Container[str] | None, chosen: Route | None
    ) -> tuple[bool, str]:
        if self.broken is not None:
            return False, f"never mirrored to {self.route.name}: {self.broken.reason}"
        if chosen is None or chosen.name == self.route.name:
            return False, "nothing to compare: it answers itself" if chosen else "nothing to mirror"
        if not is_drawn(self.shadow.share, self.salt, request.draw):
            return False, f"this session is not among the {self.shadow.share:.2%} that are mirrored"
        if available is not None and self.route.name not in available:
            return False, f"{self.route.name} is not serving"
        for requirement in REQUEST_REQUIREMENTS:
            if not requirement.kept((self.route,), request):
                return False, requirement.judge(self.route, request).reason
        return True, f"mirrored to {self.route.name}, as far as the budget goes"
