"""The model registry: champion and challenger of a registered model, and every decision about them.

Both are aliases, of which MLflow keeps no history. So each decision is a tag of the version that it concerns, named
after its time: nothing overwrites it, and the tags of all versions are the history of the model.
"""

from typing import Literal, NamedTuple

from configs.addresses import shown
from tasks.engine.store import FrozenModel
from tasks.errors import InputError
from tasks.tracking.client import reached
from tasks.tracking.names import DECISION, VERDICT
from tasks.tracking.run import full_id

CHAMPION, CHALLENGER = "champion", "challenger"  # aliases
REPRODUCED = "-reproduced"  # ends the name of a model of reproductions, which are no versions of the original


class Gate(FrozenModel):
    """A score that decides: of both models on the items that both know, and the interval of challenger − champion."""

    score: str
    items: int
    coverage: float  # of the items that the champion knows, the share that the challenger knows too
    champion: float
    challenger: float
    low: float
    high: float
    better: float  # the probability that the challenger's score is higher


class Figures(FrozenModel):
    """All figures that a decision is based on."""

    gates: list[Gate]
    incomparable: list[str]  # scores that should decide but cannot be compared
    newer_data: bool  # whether the run is later and of other documents
    drift: float  # 1 − mean cosine of the shared words after alignment; 1 where there is no space to compare
    overlap: float  # mean share of the nearest neighbours kept


class Decision(FrozenModel):
    """A decision about one version."""

    version: str
    run_id: str
    verdict: Literal["promoted", "kept back", "restored"]
    against: str | None  # the version that was champion at that time
    why: str
    who: str
    when: str  # ISO 8601, UTC
    faults: tuple[str, ...] = ()  # of the version itself, without regard to a champion: tasks/evaluation/learning.py
    figures: Figures | None = None  # None where nothing was measured: no champion yet, or a champion restored

    @property
    def note(self) -> str:
        """Return what was decided, in a few words, for lists of runs."""
        learnt = "collapsed" if any("collapsed" in fault for fault in self.faults) else "nothing learnt"
        return f"version {self.version} {self.verdict}{f', {learnt}' if self.faults else ''}"

    @property
    def sentence(self) -> str:
        """Return what was decided and why, in one line."""
        after = f", after version {self.against}" if self.against else ""
        still = f"version {self.against} stays champion" if self.against else "and there is no champion yet"
        middle = {
            "promoted": f"is champion{after}",
            "kept back": f"is kept back, {still}",
            "restored": f"is champion again{after}",
        }
        return f"version {self.version} {middle[self.verdict]}: {self.why}"


class Version(NamedTuple):
    """A version of a registered model."""

    number: str
    run_id: str
    decisions: list[Decision]  # the oldest first


class RegisteredModel(NamedTuple):
    """A registered model as it was when looked up."""

    uri: str
    name: str
    versions: dict[str, Version]
    aliases: dict[str, str]  # alias → number of a version

    @property
    def champion(self) -> Version | None:
        """Return the champion, None if there is none."""
        return self.versions.get(self.aliases.get(CHAMPION, ""))

    @property
    def history(self) -> list[Decision]:
        """Return every decision, the oldest first."""
        return sorted((each for version in self.versions.values() for each in version.decisions), key=lambda d: d.when)

    def version(self, name: str) -> Version:
        """Return a version by its number or an alias. Raises InputError if there is none."""
        number = self.aliases.get(name, name)
        if number in self.versions:
            return self.versions[number]
        if name == CHAMPION and self.versions:
            raise InputError(self._without_champion())
        aliases = [f"{alias} (version {each})" for alias, each in self.aliases.items()]
        raise InputError(
            f"the model {self.name!r} has no {name if name in (CHAMPION, CHALLENGER) else f'version {name}'}\n"
            f"looked in {shown(self.uri)}\n"
            f"found     {', '.join([*sorted(self.versions, key=int), *aliases]) or 'no such model'}\n"
            "`w2v retrain` registers a version. For a model kept elsewhere give --workspace FOLDER; for another model "
            "--run MODEL@champion or, in commands about decisions, --model MODEL."
        )

    def _without_champion(self) -> str:
        newest = self.versions[max(self.versions, key=int)]
        last = newest.decisions[-1] if newest.decisions else None
        return (
            f"the model {self.name!r} has no champion\nlooked in {shown(self.uri)}\n"
            f"found     version {newest.number}, {f'{last.verdict}: {last.why}' if last else 'without a decision'}\n"
            f"`w2v promote {newest.number} --because REASON` makes it champion; "
            f"--run {newest.run_id[:8]} uses it without a promotion."
        )

    def of_run(self, run_id: str) -> Version:
        """Return the newest version of a run; an earlier one may belong to a model that was deleted."""
        mine = (number for number, version in self.versions.items() if version.run_id == run_id)
        return self.versions[max(mine, key=int)]


def model(uri: str, name: str) -> RegisteredModel:
    """Return the registered model of this name; it has no versions if nothing is registered."""
    with reached(uri) as client:
        found = client.search_registered_models(f"name = '{name}'")
        versions = client.search_model_versions(f"name = '{name}'")
    aliases = {alias: str(number) for each in found for alias, number in each.aliases.items()}
    known = {
        str(each.version): Version(
            str(each.version),
            str(each.run_id),
            [
                Decision.model_validate_json(each.tags[tag])
                for tag in sorted(each.tags)
                if tag.startswith(DECISION.format(time=""))
            ],
        )
        for each in versions
    }
    return RegisteredModel(uri, name, known, aliases)


def is_alias(name: str) -> bool:
    """Return True if the name is `champion` or `challenger`, or such an alias of a model: MODEL@champion."""
    return name.rpartition("@")[2] in (CHAMPION, CHALLENGER)


def run_id(uri: str, name: str) -> str:
    """Return the id of a run, given as `champion`, `MODEL@champion`, the same of the challenger, or the start of an id.

    Raises InputError if the model has no such version, TrackingError if several ids start so.
    """
    if not is_alias(name):
        return full_id(uri, name)
    registered, _, alias = name.rpartition("@")
    return model(uri, registered or only_model(uri)).version(alias).run_id


def only_model(uri: str) -> str:
    """Return the name of the model that is meant if none is named: the only one, or the only one ever decided about.

    Raises InputError if there is none, or which one is meant cannot be known.
    """
    with reached(uri) as client:
        found = {each.name: each.aliases for each in client.search_registered_models()}
    names = [name for name, aliases in found.items() if aliases] or list(found)
    names = [name for name in names if not name.endswith(REPRODUCED)] or names
    if len(names) == 1:
        return str(names[0])
    if not names:
        raise InputError(
            f"no model is registered yet\nlooked in {shown(uri)}\nfound     no model\n"
            "`w2v retrain` registers a version. For a model kept elsewhere give --workspace FOLDER."
        )
    raise InputError(
        f"several models are registered, and none is named\nlooked in {shown(uri)}\n"
        f"found     {', '.join(names)}\n"
        f"Name one: --run {names[0]}@{CHAMPION} or, in commands about decisions, --model {names[0]}."
    )


def challenge(of: RegisteredModel, version: Version) -> RegisteredModel:
    """Make the version the challenger; return the model as it is then."""
    with reached(of.uri) as client:
        client.set_registered_model_alias(of.name, CHALLENGER, version.number)
    return of._replace(aliases=of.aliases | {CHALLENGER: version.number})


def settle(of: RegisteredModel, decision: Decision) -> None:
    """Record the decision, then carry it out. Idempotent; moves no alias if the champion has changed meanwhile."""
    with reached(of.uri) as client:
        tags = {DECISION.format(time=decision.when): decision.model_dump_json(), VERDICT: decision.verdict}
        for tag, value in tags.items():
            client.set_model_version_tag(of.name, decision.version, tag, value)
        if decision.verdict != "kept back" and of.aliases.get(CHAMPION) == decision.against:
            client.set_registered_model_alias(of.name, CHAMPION, decision.version)
            if of.aliases.get(CHALLENGER) == decision.version:
                client.delete_registered_model_alias(of.name, CHALLENGER)


def predecessor(of: RegisteredModel) -> Version:
    """Return the version that was champion before the champion. Raises InputError if no decision names one."""
    champion = of.version(CHAMPION)
    promotions = [each.against for each in champion.decisions if each.verdict == "promoted"]
    if promotions and promotions[-1] in of.versions:
        return of.versions[str(promotions[-1])]
    raise InputError(
        f"no version to restore: no decision says which version was champion before version {champion.number}\n"
        "`w2v history` shows all decisions; `w2v promote VERSION --because REASON` makes any version the champion."
    )
