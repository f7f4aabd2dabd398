"""Waiting that has an end: for a condition, and for a test; and how long something took."""

import contextlib
import faulthandler
import signal
import time


def wait_until(condition, what: str, timeout: float, pause: float = 0.01):
    """The first true value of condition()."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f'waited {timeout} s in vain for {what}')
        time.sleep(pause)


def fastest(measure, goal: float, tries: int = 20) -> float:
    """The first of what measure() finds that is below the goal.  Whatever else the machine has
    to do only adds to it, so one of several is enough."""
    found = []
    while len(found) < tries:
        found.append(measure())
        if found[-1] < goal:
            return found[-1]
    raise AssertionError(f'not once in {tries} times below {goal}: {sorted(found)}')


@contextlib.contextmanager
def no_longer_than(seconds: int):
    """What takes longer gets a TimeoutError, and says where each thread was."""
    def stop(_signum, _frame):
        faulthandler.dump_traceback()
        raise TimeoutError(f'the test took more than {seconds} s')
    old = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)
