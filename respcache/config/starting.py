"""Checks and preparations between loading a configuration and starting a server with it.

They are not part of `files.load`, because the health check reads a configuration only to find out where a server
listens: it has neither the server's descriptors nor permission to write to its log.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from respcache import __version__
from respcache.config.files import ConfigError
from respcache.logs import check_path, log

if TYPE_CHECKING:
    from respcache.config import Config


def prepare(config: Config) -> None:
    """Check what cannot be used, and open the log. Raises ConfigError."""
    _check_tls(config)
    _check_descriptors(config)
    _direct_log(config)
    config.on_change("loglevel", lambda: log.configure(level=config.loglevel))


def greet(config: Config) -> None:
    """The first lines of the log, among them a warning about directives without effect."""
    log.notice(f"respcache {__version__}, pid={os.getpid()}, {config.shards} shard{'s' if config.shards > 1 else ''}")
    if names := config.without_effect():
        log.warning(f"WARNING: these directives have no effect in respcache: {', '.join(names)}")


def _check_tls(config: Config) -> None:
    """A user who switched plain text off for TLS must not get plain text."""
    if config.tls_port and not config.port:
        raise ConfigError(
            f"respcache does not support TLS: with `port 0`, `tls-port {config.tls_port}` leaves no port to listen on"
        )


def _check_descriptors(config: Config) -> None:
    for name in ("respcache-ready-fd", "respcache-parent-fd"):
        fd = config.value(name)
        if fd >= 0:
            try:
                os.fstat(fd)
            except OSError as error:
                raise ConfigError(f"Can't use {name} {fd}: {error.strerror}") from None


def _direct_log(config: Config) -> None:
    if config.logfile:
        try:
            check_path(config.logfile)
        except OSError as error:
            raise ConfigError(f"Can't open the log file: {error.strerror}") from None
    system = (config.syslog_enabled, config.syslog_ident, config.syslog_facility)
    log.configure(level=config.loglevel, path=config.logfile, system=system)
