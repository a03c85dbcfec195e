"""The life of the process: load, start the engine, commit, open the admin API, watch, and stop in good order.

The proxy serves first. What only the admin API needs is imported after that, while its socket already
listens, so that starting feels immediate and an early client of the admin API waits instead of being
refused.
"""

import asyncio
import errno
import os
import resource
import signal
import socket
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

from tidegate._engine import Engine
from tidegate.admin.credentials import is_protected
from tidegate.ai.model_lifecycle import ModelLifecycle
from tidegate.auth.authentication import Authentication
from tidegate.config.load import Loaded
from tidegate.config.member import Members
from tidegate.config.model import Config
from tidegate.config.model.text import split_address
from tidegate.config.problem import ConfigError
from tidegate.control import logs, quic_secret, systemd
from tidegate.control.events import Events
from tidegate.control.gateway import Candidate, Change, ConflictError, Gateway, Running
from tidegate.control.generation import Origin
from tidegate.control.learnt import Learnt
from tidegate.control.source import Source
from tidegate.control.store import Store
from tidegate.control.watch import Watcher
from tidegate.control.words import Words

HEARING_SECONDS = 5
"""So long, at most, does the end wait for what the engine still has to tell."""

log = logs.Logger("tidegate.run")


class StartError(Exception):
    """The process cannot start, for a reason that is not in the configuration."""


def run(source: Source, *, served: Callable[[], None] | None = None) -> None:
    """Serve until a signal stops the process; `served` is called once requests are taken.

    The first SIGTERM or SIGINT lets connections finish for at most `drain_timeout`, the second ends the
    process at once. SIGHUP reloads, SIGUSR1 reopens the access log. Raises ConfigError, StoreError and
    StartError, all before anything is served.
    """
    _raise_file_limit()
    loaded = source.read()
    config = loaded.config
    logs.configure(config.log.format, config.log.level)
    state_dir = Path(config.state_dir) if config.state_dir else None
    store = Store(state_dir)
    try:
        origin: Origin = "start"
        if config.restore == "last" and (restored := _last_generation(source, store, loaded.members)):
            loaded, config, origin = restored, restored.config, "restore"
        listener = _admin_listener(config)
        engine = Engine(config.workers, config.log.format, config.log.level)
        events = Events()
        quic_secret.supply(engine, state_dir)
        words = Words(engine, events, state_dir)
        learnt = Learnt(engine, state_dir)
        learnt.restore()
        authentication = Authentication(engine, events, state_dir)
        model_lifecycle = ModelLifecycle(engine, events, state_dir)
        gateway = Gateway(engine, store, source, events, words, model_lifecycle.models)
        process = _Process(gateway, authentication, model_lifecycle, learnt, listener)
        first = [loaded]
        # Once another is served nothing may hold the first one any more: it can take 100 MB.
        del loaded, config
        asyncio.run(process.live(lambda _: first.pop(), origin, served))
    finally:
        store.close()


def _raise_file_limit() -> None:
    """Allow as many open files, and so connections, as the operator lets this process have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _last_generation(source: Source, store: Store, known: Members) -> Loaded | None:
    """What was served last, unless the file says something else than it did then."""
    last = store.last()
    document = store.document(last.number) if last else None
    if last is None or document is None:
        return None
    if last.source is not None and last.source != source.etag:
        log.warning(
            "the file has changed since the last generation and is served in its place",
            generation=last.number,
        )
        return None
    try:
        return source.load(document, known)
    except ConfigError:
        log.error(
            "the last generation cannot be restored",
            generation=last.number,
            hint="mend what is named, or set `restore: file` to start from the file",
        )
        raise


def _admin_listener(config: Config) -> socket.socket | None:
    """The admin API's socket, listening already. Raises StartError."""
    if not config.admin.enabled:
        return None
    address = config.admin.address
    try:
        if not is_protected(config.admin):
            raise StartError(f"the admin API on {address} needs a token or TLS client certificates")
        if address.startswith("unix:"):
            return _unix_listener(Path(address.removeprefix("unix:")))
        host, port = split_address(address)
        return _tcp_listener(host, port)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        hint = "; is tidegate running already?" if error.errno == errno.EADDRINUSE else ""
        raise StartError(f"the admin API cannot listen on {address}: {reason.lower()}{hint}") from error


def _tcp_listener(host: str, port: int) -> socket.socket:
    """A socket whose connections send at once.

    asyncio sees to that only where a socket names its protocol, which accepted ones do not: the body of an
    answer would wait 40 ms for the acknowledgement of its head.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _unix_listener(path: Path) -> socket.socket:
    """A socket that its owner alone may use; one left behind by a process that is gone is replaced."""
    listener = socket.socket(socket.AF_UNIX)
    if path.is_socket():
        try:
            socket.socket(socket.AF_UNIX).connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen()
    return listener


def _spelled(listener: socket.socket) -> str:
    """Where it listens in fact, which is not what is configured where that is port 0."""
    address = listener.getsockname()
    return str(address) if isinstance(address, str) else f"{address[0]}:{address[1]}"


class _Process:
    """What the event loop holds while the process lives."""

    def __init__(
        self,
        gateway: Gateway,
        authentication: Authentication,
        model_lifecycle: ModelLifecycle,
        learnt: Learnt,
        listener: socket.socket | None,
    ) -> None:
        self.gateway = gateway
        self.authentication = authentication
        self.model_lifecycle = model_lifecycle
        self.learnt = learnt
        self.listener = listener
        self.stop = asyncio.Event()
        self.background: set[asyncio.Task[Any]] = set()

    async def live(self, first: Candidate, origin: Origin, served: Callable[[], None] | None) -> None:
        """Serve what `first` reads and what comes after it, until told to stop."""
        self._handle_signals()
        gateway = self.gateway
        gateway.events.hear(gateway.engine)
        try:
            await gateway.apply(first, origin)
        except ConfigError:
            await asyncio.to_thread(gateway.engine.drain, 0)
            raise
        gateway.on_commit += [self._follow_log_level(), self.authentication.keys.follow]
        self.authentication.keys.follow(gateway.running)
        systemd.notify("READY=1")
        for listener in gateway.running.config.listeners:
            log.info("serving", listener=listener.name, address=listener.address)
        if served:
            served()
        watcher = self._spawn(Watcher(lambda: gateway.files, self._files_changed).run())
        close_admin = self._open_admin()
        await self.stop.wait()
        watcher.cancel()
        await asyncio.to_thread(self.learnt.keep)
        await self._drain()
        with suppress(TimeoutError):
            await asyncio.wait_for(self.gateway.events.heard_all(), HEARING_SECONDS)
        await self.model_lifecycle.samples.close()
        await close_admin()

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop_by, number)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._spawn(self._reload("signal")))
        loop.add_signal_handler(signal.SIGUSR1, lambda: self._spawn(self._reopen_logs()))

    def _stop_by(self, number: signal.Signals) -> None:
        if self.stop.is_set():
            log.warning("stopping at once", signal=number.name)
            os._exit(128 + number)  # the drain waits in a thread that nothing else can end
        log.info("stopping", signal=number.name)
        self.stop.set()

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run `work` beside the rest; if it fails that is logged, and the proxy goes on."""
        task = asyncio.get_running_loop().create_task(work)
        self.background.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self.background.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("a background task failed", exc_info=error)

    async def _files_changed(self, files: frozenset[Path]) -> None:
        """A configuration file says what is wanted now; a certificate belongs to what is served."""
        log.info("files changed", files=sorted(map(str, files)))
        reloaded = bool(files & self.gateway.sources) and await self._reload("file")
        if not reloaded and files & self.gateway.running.loaded.contents.keys():
            await self._change(self.gateway.reread("file"))

    async def _reload(self, origin: Origin) -> bool:
        return await self._change(self.gateway.reload(origin))

    async def _change(self, change: Awaitable[Change]) -> bool:
        """Make the change, and say whether it was made."""
        systemd.notify_reloading()
        try:
            done = await change
            if done.restart_required:
                log.warning("a restart is required", options=done.restart_required)
            return True
        except ConfigError:
            log.warning("the running configuration stays", generation=self.gateway.running.generation.number)
        except ConflictError as error:
            log.warning("nothing is reloaded", reason=str(error))
        except Exception:  # what was not foreseen must not end the watching, nor the process
            log.exception("the change failed; the running configuration stays")
        finally:
            if not self.stop.is_set():
                systemd.notify("READY=1")
        return False

    async def _reopen_logs(self) -> None:
        """Write the access log to a new file, after a log rotator has renamed the old one."""
        await asyncio.to_thread(self.gateway.engine.supply, "log", "reopen", b"")
        log.info("access log reopened")

    def _follow_log_level(self) -> Callable[[Running], None]:
        """Set the level when the configuration's changes, and otherwise leave what the admin API has set."""
        configured = self.gateway.running.config.log.level

        def follow(running: Running) -> None:
            nonlocal configured
            if running.config.log.level != configured:
                configured = running.config.log.level
                logs.set_level(configured)
                self.gateway.engine.supply("log", "filter", configured.encode())

        return follow

    def _open_admin(self) -> Callable[[], Awaitable[None]]:
        """Serve the admin API; returns how to close it."""
        if self.listener is None:
            return _nothing_to_close
        from tidegate.admin.server import AdminServer  # noqa: PLC0415 - heavy, and the proxy serves already

        admin = AdminServer(self.gateway, self.authentication, self.model_lifecycle)
        serving = self._spawn(admin.serve(sockets=[self.listener]))
        log.info("admin API serving", address=_spelled(self.listener))

        async def close() -> None:
            admin.stop()
            await serving

        return close

    async def _drain(self) -> None:
        self.gateway.draining = True
        systemd.notify("STOPPING=1")
        timeout_ms = self.gateway.running.config.drain_timeout
        if await asyncio.to_thread(self.gateway.engine.drain, timeout_ms):
            log.info("stopped")
        else:
            log.warning("stopped with connections still open", drain_timeout_ms=timeout_ms)


async def _nothing_to_close() -> None:
    """Where there is no admin API."""
