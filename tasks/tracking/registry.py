"""Who is champion of a registered model, who challenges it, and every decision about that.

Both are aliases, of which MLflow keeps no history. So each decision is a tag of the version it is about, named after
its time: nothing overwrites it, and the history of a model is what its versions' tags say.
"""

from typing import Literal, NamedTuple

from configs.addresses import shown
from configs.schema import Tracking
from tasks.engine.store import Record
from tasks.errors import InputError
from tasks.tracking.client import reached
from tasks.tracking.run import full_id

CHAMPION, CHALLENGER = "champion", "challenger"  # aliases
DECISION = "decision "  # the tag goes on with the time
VERDICT = "promotion"  # the tag with the latest verdict alone, for MLflow's tables


class Gate(Record):
    """A score that decides: of both on the items both know, and the interval of challenger − champion."""

    score: str
    items: int
    coverage: float  # of the items that the champion knows, the share that the challenger knows too
    champion: float
    challenger: float
    low: float
    high: float
    better: float  # the probability that the challenger's is higher


class Figures(Record):
    """All that a decision rests on."""

    gates: list[Gate]
    incomparable: list[str]  # scores that should decide, and cannot
    newer_data: bool  # a later run, of other documents
    drift: float  # 1 − mean cosine of the shared words after alignment; 1 where there is no space to compare
    overlap: float  # mean share of the neighbours kept


class Decision(Record):
    version: str
    run_id: str
    verdict: Literal["promoted", "kept back", "restored"]
    against: str | None  # the version that was champion then
    why: str
    who: str
    when: str  # ISO 8601, UTC
    faults: tuple[str, ...] = ()  # of the version itself, whatever the champion: tasks/evaluation/learning.py
    figures: Figures | None = None  # None where nothing was measured: there was no champion, or it is restored

    @property
    def sentence(self) -> str:
        """Say what was decided and why, in one line."""
        other = f"version {self.against}" if self.against else "nobody"
        still = f"{other} stays champion" if self.against else "and there is no champion yet"
        middle = {
            "promoted": f"is champion, after {other}",
            "kept back": f"is kept back, {still}",
            "restored": f"is champion again, after {other}",
        }
        return f"version {self.version} {middle[self.verdict]}: {self.why}"


class Version(NamedTuple):
    number: str
    run_id: str
    decisions: list[Decision]  # the oldest first


class Model(NamedTuple):
    """A registered model, as it is now."""

    uri: str
    name: str
    versions: dict[str, Version]
    aliases: dict[str, str]  # to a version's number

    @property
    def champion(self) -> Version | None:
        return self.versions.get(self.aliases.get(CHAMPION, ""))

    @property
    def history(self) -> list[Decision]:
        """Every decision, the oldest first."""
        return sorted((each for version in self.versions.values() for each in version.decisions), key=lambda d: d.when)

    def version(self, name: str) -> Version:
        """By its number or an alias. Raises InputError if there is none."""
        number = self.aliases.get(name, name)
        if number in self.versions:
            return self.versions[number]
        if name == CHAMPION and self.versions:
            raise InputError(self._without_champion())
        aliases = [f"{alias} (version {each})" for alias, each in self.aliases.items()]
        raise InputError(
            f"the model {self.name!r} has no {name if name in (CHAMPION, CHALLENGER) else f'version {name}'}\n"
            f"sought in {shown(self.uri)}\n"
            f"found     {', '.join([*sorted(self.versions, key=int), *aliases]) or 'no such model'}\n"
            "`w2v retrain` registers a version. One kept elsewhere: --workspace FOLDER; another model: "
            "--run MODEL@champion, or --model MODEL where decisions are."
        )

    def _without_champion(self) -> str:
        newest = self.versions[max(self.versions, key=int)]
        last = newest.decisions[-1] if newest.decisions else None
        return (
            f"the model {self.name!r} has no champion\nsought in {shown(self.uri)}\n"
            f"found     version {newest.number}, {f'{last.verdict}: {last.why}' if last else 'not decided about'}\n"
            f"`w2v promote {newest.number} --because REASON` makes it champion; "
            f"--run {newest.run_id[:8]} asks it as it is."
        )

    def of_run(self, run_id: str) -> Version:
        """The newest: an earlier one may be of a model that was deleted."""
        mine = (number for number, version in self.versions.items() if version.run_id == run_id)
        return self.versions[max(mine, key=int)]


def model(uri: str, name: str) -> Model:
    """Without versions if nothing is registered under the name."""
    with reached(uri) as client:
        found = client.search_registered_models(f"name = '{name}'")
        versions = client.search_model_versions(f"name = '{name}'")
    aliases = {alias: str(number) for each in found for alias, number in each.aliases.items()}
    known = {
        str(each.version): Version(
            str(each.version),
            str(each.run_id),
            [Decision.model_validate_json(each.tags[tag]) for tag in sorted(each.tags) if tag.startswith(DECISION)],
        )
        for each in versions
    }
    return Model(uri, name, known, aliases)


def is_alias(name: str) -> bool:
    return name.rpartition("@")[2] in (CHAMPION, CHALLENGER)


def run_id(uri: str, name: str) -> str:
    """The run behind `champion` or `MODEL@champion`, likewise of the challenger; else the run whose id starts so."""
    if not is_alias(name):
        return full_id(uri, name)
    registered, _, alias = name.rpartition("@")
    return model(uri, registered or _usual(uri)).version(alias).run_id


def _usual(uri: str) -> str:
    """The model that goes without saying: the one of the defaults, or the only one there is."""
    with reached(uri) as client:
        names = [each.name for each in client.search_registered_models(max_results=2)]
    return names[0] if len(names) == 1 else Tracking().registered_model


def challenge(of: Model, version: Version) -> Model:
    """From now on this version is the challenger."""
    with reached(of.uri) as client:
        client.set_registered_model_alias(of.name, CHALLENGER, version.number)
    return of._replace(aliases=of.aliases | {CHALLENGER: version.number})


def settle(of: Model, decision: Decision) -> None:
    """Record the decision, then do what it says. Again it changes nothing; nor where others have decided since."""
    with reached(of.uri) as client:
        for tag, value in ((f"{DECISION}{decision.when}", decision.model_dump_json()), (VERDICT, decision.verdict)):
            client.set_model_version_tag(of.name, decision.version, tag, value)
        if decision.verdict != "kept back" and of.aliases.get(CHAMPION) == decision.against:
            client.set_registered_model_alias(of.name, CHAMPION, decision.version)
            if of.aliases.get(CHALLENGER) == decision.version:
                client.delete_registered_model_alias(of.name, CHALLENGER)


def predecessor(of: Model) -> Version:
    """Who was champion before the champion. Raises InputError if nobody was, or nobody knows."""
    champion = of.version(CHAMPION)
    promotions = [each.against for each in champion.decisions if each.verdict == "promoted"]
    if promotions and promotions[-1] in of.versions:
        return of.versions[str(promotions[-1])]
    raise InputError(
        f"nothing to go back to: no decision says which version was champion before version {champion.number}\n"
        "`w2v history` shows them all; `w2v promote VERSION --because REASON` makes any version the champion."
    )
