"""What can go wrong on the way to the Hugging Face Hub and back: a time limit, and a line for each kind of trouble."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, TypeVar

from restoration.errors import BadWeights, RestorationError, one_line

T = TypeVar("T")

PATIENCE = 25.0
"""Seconds in which a server must have answered all questions."""

TROUBLES = {
    "TimeoutException": "does not answer, it was silent for too long",
    "TooManyRedirects": "redirects in a circle",
    "RemoteProtocolError": "broke off the connection, or speaks no HTTP",
    "ReadError": "broke off the connection",
    "WriteError": "broke off the connection",
    "UnsupportedProtocol": "is at an address that cannot be used, or redirects to one",
    "InvalidURL": "is at an address that cannot be used, or redirects to one",
    "LocalProtocolError": "is at an address that cannot be used, or redirects to one",
    "ProxyError": "cannot be reached, for the proxy between",
    "TransportError": "cannot be reached",
    "OSError": "cannot be reached",
}
"""What errors of the HTTP library mean, by the names of their classes, the first that fits."""


class Unreachable(RestorationError):
    """The Hub does not answer, or not now: what is in the cache may serve instead."""


def within(deadline: float, call: Callable[[], T]) -> T:
    """Return what a call returns, or raise what it raises, if it ends in time: a server may let it wait for ever."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(max(0.0, deadline - time.monotonic()))
    if errors:
        raise errors[0]
    if not results:
        raise Unreachable(f"the Hub ({address()}) does not answer: it takes more than {PATIENCE:.0f} s")
    return results[0]


@contextmanager
def quietly() -> Iterator[None]:
    """Keep the Hub's library from logging its retries: what goes wrong in the end is one error."""
    from huggingface_hub.utils import logging as library_log

    before = library_log.get_verbosity()
    library_log.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        library_log.set_verbosity(before)


def read_timeout() -> float:
    """Return the seconds that a server may be silent: those of HF_HUB_ETAG_TIMEOUT, 10 if that is not set."""
    from huggingface_hub.constants import HF_HUB_ETAG_TIMEOUT

    return min(float(HF_HUB_ETAG_TIMEOUT), PATIENCE)


def address() -> str:
    """Return where the Hub is."""
    from huggingface_hub.constants import ENDPOINT

    return str(ENDPOINT)


def kinds_of(error: BaseException) -> set[str]:
    """Return the names of the classes of an error: the HTTP library's name depends on the version of the Hub's."""
    return {kind.__name__ for kind in type(error).__mro__}


def trouble(error: Exception) -> RestorationError:
    """Say in one line what went wrong on the way to the Hub and back."""
    words = next((words for kind, words in TROUBLES.items() if kind in kinds_of(error)), "gave an answer of no sense")
    return Unreachable(f"the Hub ({address()}) {words}: {one_line(error)}")


def refusal(name: str, response: Any) -> RestorationError:
    """Say in one line with which status the Hub refused."""
    code = response.status_code
    words = HTTPStatus(code).phrase if code in set(HTTPStatus) else "an unknown status"
    answer = f"the Hub ({address()}) answers {code}, {words}"
    after = response.headers.get("Retry-After", "")
    if code == HTTPStatus.TOO_MANY_REQUESTS:
        return Unreachable(f"{answer}; try again {f'in {int(after)} s' if after.isdecimal() else 'later'}")
    if code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Unreachable(f"{answer}; try again later")
    return BadWeights(f"{name}: {answer}")
