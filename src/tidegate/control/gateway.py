"""The gateway: the engine, the configuration it serves, and the one way by which that changes.

Every change, wherever it comes from, is the same act: candidate → validate → prepare → diff → commit →
record. A change that fails on the way changes nothing.
"""

import asyncio
import gc
import json
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, TypeVarTuple

from tidegate._engine import Engine, PlanError, Prepared, UnknownItemsError, inspect
from tidegate.config.load import Loaded
from tidegate.config.member import NONE, MemberId, Members, exactly_equal
from tidegate.config.model import Config
from tidegate.config.plan import UNKNOWN, Digests, Plan, build_plan, problems_from_engine, with_engine
from tidegate.config.problem import ConfigError, Problem
from tidegate.config.stamp import Stamps
from tidegate.config.tree import UNWRITTEN
from tidegate.control import logs
from tidegate.control.diff import Edit, compare, touched
from tidegate.control.document import Document, document_of, etag_of, with_member
from tidegate.control.events import Events
from tidegate.control.generation import Generation, Origin, Refusal, Summary
from tidegate.control.geoip import GeoDatabases
from tidegate.control.named_models import NamedModels, Names
from tidegate.control.restart import read_once, restart_required
from tidegate.control.source import Source
from tidegate.control.store import Store, StoreError
from tidegate.control.words import Words

REFUSALS_KEPT = 50
NAMED = 50
"""So many options at the most does one line of the log name."""

Needs = TypeVarTuple("Needs")
Result = TypeVar("Result")
Candidate = Callable[[Members], Loaded]
"""Reads what is to be served, building on members that are served already."""

log = logs.Logger("tidegate.control")


class StaleError(Exception):
    """The change was made against another configuration than the one that is served."""


class MissingError(Exception):
    """A change or a question names something that is not there; the message says what."""


class ConflictError(Exception):
    """A change cannot be made to the configuration as it is; the message says why."""


@dataclass(frozen=True)
class Running:
    """What is served now. Where each option is written is not kept, which takes a third of the memory."""

    generation: Generation
    loaded: Loaded
    digests: Digests = field(repr=False)
    """What the engine calls its members."""
    document: Document = field(repr=False)
    models: Names
    """What the engine calls the models that it names."""

    @property
    def config(self) -> Config:
        """The validated configuration."""
        return self.loaded.config

    def is_same_as(self, candidate: "_Candidate") -> bool:
        """Whether the candidate says nothing new, in its options and in what they name: files and models."""
        named = self.loaded.contents == candidate.loaded.contents and self.models == candidate.models
        return named and exactly_equal(self.document, candidate.document)


@dataclass(frozen=True)
class Change:
    """What a change did, or would do."""

    generation: Generation | None
    """The generation that is served after it; None for a dry run."""
    etag: str
    summary: Summary
    edits: list[Edit]
    restart_required: list[str]
    """Options that take effect when the process is started again."""
    warnings: tuple[Problem, ...]
    changed: bool


@dataclass(frozen=True)
class _Candidate:
    """A change that has passed everything that can fail."""

    loaded: Loaded
    digests: Digests = field(repr=False)
    document: Document = field(repr=False)
    models: Names
    etag: str
    prepared: Prepared
    edits: list[Edit]
    undone: list[str]
    """Options that were changed beside the source, which now says otherwise."""

    @property
    def summary(self) -> Summary:
        summary: Summary = json.loads(self.prepared.diff)
        return summary


@contextmanager
def _without_collections() -> Iterator[None]:
    """Keep the cyclic garbage collector away while a configuration is built, and away from what was built.

    So many objects at once, none of them garbage, would set off full collections, which stop every thread:
    with 10,000 routes for a second and more. What is frozen still goes when the last reference to it does.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


class Gateway:
    """Owns the engine and what it serves. Used from one event loop; what takes time runs in threads."""

    def __init__(  # noqa: PLR0913, PLR0917 - parts that are made before it, each from another file
        self, engine: Engine, store: Store, source: Source, events: Events, words: Words, models: NamedModels
    ) -> None:
        self.engine = engine
        self.store = store
        self.source = source
        self.events = events
        self.words = words
        self.models = models
        self.geo_databases = GeoDatabases(engine)
        self.started = datetime.now(UTC)
        self.draining = False
        self.results: Counter[str] = Counter(committed=0, unchanged=0, refused=0)
        self.refusals: deque[Refusal] = deque(maxlen=REFUSALS_KEPT)
        self.on_commit: list[Callable[[Running], None]] = []
        self._started: dict[str, Any] = {}
        self._running: Running | None = None
        self._agreed: Document = {}
        """What the source said when it was last served; what differs from it was changed here."""
        self._source_refused = False
        self._one_at_a_time = asyncio.Lock()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="change")

    @property
    def running(self) -> Running:
        """What is served now. Only to be asked after the first `apply`."""
        if self._running is None:
            raise RuntimeError("nothing is served yet")
        return self._running

    @property
    def sources(self) -> frozenset[Path]:
        """The configuration file, what it includes, and while it is refused all that it names."""
        return frozenset(self.source.files) if self._source_refused else self.source.own

    @property
    def files(self) -> Stamps:
        """Every file whose change matters, as it was when it was read: the source's, and those of what is
        served, which may be another configuration."""
        return {**self.source.files, **self.running.loaded.files}

    @property
    def workers(self) -> int:
        """Number of worker threads, which stays as it was when the process started."""
        return int(self._started["workers"])

    @property
    def ready(self) -> bool:
        """Whether requests are served and will be."""
        return self._running is not None and not self.draining

    @property
    def restart_required(self) -> list[str]:
        """Options of the running configuration that wait for a restart."""
        return restart_required(self._started, read_once(self.running.config))

    async def apply(
        self,
        candidate: Candidate,
        origin: Origin,
        *,
        expect: frozenset[str] | None = None,
        dry_run: bool = False,
    ) -> Change:
        """Serve what `candidate` reads, or with `dry_run` say what that would change.

        Changes are made one at a time, and a change that began is finished even if its caller is gone.
        `candidate` is called in a thread when the change's turn has come, with the members of what is served
        then, so that it may build on them. Raises ConfigError with everything that is wrong, and StaleError
        if what is served has none of the etags in `expect`.
        """
        return await asyncio.shield(self._in_turn(candidate, origin, expect, dry_run))

    async def edit(
        self,
        change: Callable[[Document], Document],
        origin: Origin,
        *,
        expect: frozenset[str] | None = None,
        dry_run: bool = False,
    ) -> Change:
        """Serve the document that `change` makes of the one that is served; otherwise as `apply`."""
        return await self.apply(
            lambda known: self.source.load(change(self.running.document), known),
            origin,
            expect=expect,
            dry_run=dry_run,
        )

    async def edit_member(
        self,
        id: MemberId,
        change: Callable[[Document | None], Document | None],
        origin: Origin,
        *,
        expect: frozenset[str] | None = None,
        dry_run: bool = False,
    ) -> Change:
        """Serve what `change` makes of one member, where None stands for none; otherwise as `edit`.

        It costs what the member costs, however large the configuration is.
        """

        section, name = id

        def candidate(known: Members) -> Loaded:
            running = self.running
            member = known[section].get(name)
            given = change(member.document if member else None)
            amended = self.source.amend(running.loaded, section, name, given)
            return amended or self.source.load(with_member(running.document, section, name, given), known)

        return await self.apply(candidate, origin, expect=expect, dry_run=dry_run)

    async def reload(self, origin: Origin) -> Change:
        """Serve what the file says now. Raises ConflictError if there is none; otherwise as `apply`."""
        if self.source.file is None:
            raise ConflictError(
                "tidegate was started without a configuration file, so there is none to reload"
            )
        try:
            return await self.apply(self.source.read, origin)
        finally:
            await asyncio.to_thread(self._note_source)

    async def reread(self, origin: Origin) -> Change:
        """Serve the same document, with the present contents of the files it names."""
        return await self.edit(lambda document: document, origin)

    async def rollback(
        self, number: int, *, expect: frozenset[str] | None = None, dry_run: bool = False
    ) -> Change:
        """Serve an earlier generation's document again, as a new generation.

        Raises MissingError; otherwise as `apply`.
        """
        document = await self.document(number)
        return await self.edit(lambda _: document, "rollback", expect=expect, dry_run=dry_run)

    async def generation(self, number: int) -> Generation:
        """The generation of that number. Raises MissingError."""
        generation = await asyncio.to_thread(self.store.get, number)
        if generation is None:
            raise MissingError(f"there is no generation {number}")
        return generation

    async def document(self, number: int) -> Document:
        """The document of a generation. Raises MissingError."""
        document = await asyncio.to_thread(self.store.document, number)
        if document is None:
            raise MissingError(f"there is no generation {number}")
        return document

    async def ask(self, question: str, **about: Any) -> Any:
        """The engine's answer to a question, in plain values. Raises ValueError if it is asked wrongly."""
        asked = json.dumps({question: about}).encode()
        return json.loads(await asyncio.to_thread(self.engine.ask, asked))

    async def _in_turn(
        self, candidate: Candidate, origin: Origin, expect: frozenset[str] | None, dry_run: bool
    ) -> Change:
        async with self._one_at_a_time, self._models_kept():
            if expect is not None and self.running.generation.etag not in expect:
                raise StaleError(f"the configuration has changed: it is {self.running.generation.etag} now")
            of_source = candidate == self.source.read or self._running is None
            try:
                ready = await self._beside(self._prepare, candidate)
                if not dry_run:
                    await self._beside(self.geo_databases.give, ready.loaded)
            except ConfigError as error:
                if not dry_run:
                    self._refuse(origin, error)
                    self._source_refused |= of_source
                raise
            changed = self._running is None or not self._running.is_same_as(ready)
            if changed and not dry_run:
                await self._commit(ready, origin)
            elif not dry_run:
                self.results["unchanged"] += 1
            if of_source and not dry_run:
                self._source_refused = False
                self._agreed = self.source.said
            wanted = read_once(ready.loaded.config)
            return Change(
                generation=None if dry_run else self.running.generation,
                etag=ready.etag,
                summary=ready.summary,
                edits=ready.edits,
                restart_required=restart_required(self._started or wanted, wanted),
                warnings=ready.loaded.warnings,
                changed=changed,
            )

    async def _beside(self, work: Callable[[*Needs], Result], *needs: *Needs) -> Result:
        """What `work` gives, done in the one thread for changes.

        The next change uses the memory again that this one needed. Threads that took turns would each keep as
        much: with 10,000 routes 75 MB together.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *needs)

    @_without_collections()
    def _prepare(self, candidate: Candidate) -> _Candidate:
        served = self._running
        try:
            loaded = candidate(served.loaded.members if served else NONE)
        except ConfigError as error:
            raise with_engine(error, inspect) from error
        etag = etag_of(loaded)
        models = self.models.give(loaded, served_before=served is None and self._was_served(etag))
        plan = build_plan(loaded, served.digests if served else UNKNOWN, models)
        prepared = self._prepared(plan, loaded, models)
        document = document_of(loaded)
        edits = compare(served.document if served else {}, document)
        undone = self._undone(edits) if candidate == self.source.read else []
        return _Candidate(loaded, plan.digests, document, models, etag, prepared, edits, undone)

    def _prepared(self, plan: Plan, loaded: Loaded, models: Names) -> Prepared:
        try:
            return self.engine.prepare(plan.json.encode())
        except UnknownItemsError:
            log.warning("the engine has not kept what it serves; the whole plan is sent")
            return self._prepared(build_plan(loaded, UNKNOWN, models), loaded, models)
        except PlanError as error:
            raise ConfigError(problems_from_engine(error.errors, loaded.source)) from error

    def _was_served(self, etag: str) -> bool:
        """Whether the last generation, of a process before this one, is the configuration of this etag."""
        try:
            last = self.store.last()
        except StoreError:
            return False
        return last is not None and last.etag == etag

    @asynccontextmanager
    async def _models_kept(self) -> AsyncIterator[None]:
        """However a change ends, the engine keeps the models of what is served then, and no others."""
        try:
            yield
        finally:
            names = self._running.models if self._running else {}
            for absent in await self._beside(self.models.keep, names):
                self.events.tell("model_absent", **absent._asdict())

    def _undone(self, edits: list[Edit]) -> list[str]:
        """Options that differ from what the source said, and that `edits` change again."""
        if self._running is None:
            return []
        changed_here = compare(self._agreed, self._running.document)
        return [edit.path for edit in touched(changed_here, edits)]

    async def _commit(self, ready: _Candidate, origin: Origin) -> None:
        await self._beside(self.engine.commit, ready.prepared)
        await self._beside(self.geo_databases.take_back, ready.loaded)
        generation = await self._beside(self._record, ready, origin)
        loaded = replace(ready.loaded, source=UNWRITTEN)
        self._running = Running(generation, loaded, ready.digests, ready.document, ready.models)
        self._started = self._started or read_once(ready.loaded.config)
        self.results["committed"] += 1
        self.events.tell("committed", generation=generation.number, origin=origin)
        if ready.undone:
            log.warning(
                "changes that are not in the file are gone",
                options=ready.undone[:NAMED],
                more=max(len(ready.undone) - NAMED, 0),
                hint=f"they are in generation {generation.number - 1}",
            )
        for warning in ready.loaded.warnings:
            log.warning(str(warning))
        for listener in self.on_commit:
            listener(self._running)

    def _record(self, ready: _Candidate, origin: Origin) -> Generation:
        """Number the commit. A process that starts with what was served last goes on with its number."""
        try:
            last = self.store.last()
            if self._running is None and last is not None and last.etag == ready.etag:
                return last
            return self.store.add(origin, ready.etag, ready.summary, ready.document, self.source.etag)
        except StoreError as error:
            log.error("generation not recorded", error=str(error))
            number = self._running.generation.number + 1 if self._running else 1
            return Generation(number, datetime.now(UTC), origin, ready.etag, ready.summary)

    def _note_source(self) -> None:
        """Let the next process know what the file said, which may have been refused."""
        try:
            self.store.saw(self.source.etag)
        except StoreError as error:
            log.error("what the file says is not recorded", error=str(error))

    def _refuse(self, origin: Origin, error: ConfigError) -> None:
        self.results["refused"] += 1
        self.refusals.append(Refusal(datetime.now(UTC), origin, error.problems))
        if self._running is None:
            return  # the process does not start, and whoever started it is told why
        self.events.tell("refused", origin=origin, problems=len(error.problems), first=str(error.problems[0]))
        for problem in error.problems:
            log.error(str(problem))
