"""A container engine for tests: podman inside the container rig, driven from outside.

The rig's namespaces and settings live as long as the command that it was given.  That command
is this file: it runs what it reads, a JSON array of words a line, and answers each with a line
of [status, stdout, stderr].
"""

import json
import pathlib
import re
import subprocess
import sys
import time

PATIENCE = 30
ROOT = pathlib.Path(__file__).resolve().parents[2]


class Engine:
    """with Engine(RIG) as engine: engine.podman('run', ...)."""

    def __init__(self, rig: pathlib.Path, bound: int = 1500):
        self._process = subprocess.Popen(
            [str(rig), '-c', '-t', str(bound), '--', sys.executable, __file__], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.rigs = rig.parent

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait(PATIENCE)

    def run(self, *words):
        """A program inside the rig, to its end: a CompletedProcess with text."""
        self._process.stdin.write(json.dumps([str(word) for word in words]) + '\n')
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f'the rig has ended, status {self._process.wait(PATIENCE)}')
        return subprocess.CompletedProcess(words, *json.loads(line))

    def podman(self, *words) -> str:
        """What it prints; it must succeed."""
        run = self.run('podman', *words)
        assert run.returncode == 0, f'{run.args}: {run.returncode}\n{run.stdout}\n{run.stderr}'
        return run.stdout.strip()

    def build(self, tag: str, containerfile, context=ROOT, **arguments):
        words = [f'--build-arg={name}={value}' for name, value in arguments.items()]
        # Docker's format, because the other one has no HEALTHCHECK.
        self.podman('build', '-q', '--format', 'docker', '-t', tag, '-f', containerfile, *words,
                    context)
        return tag

    def size(self, image: str) -> int:
        return int(self.podman('image', 'inspect', '-f', '{{.Size}}', image))


class Container:
    """One that runs in the background: Container(engine, image, [OPTION...], WORD...)."""

    def __init__(self, engine: Engine, image: str, options=(), *words):
        self.engine = engine
        self.id = engine.podman('run', '-d', '-e', 'WSGID_LISTEN=127.0.0.1:0', *options, image,
                                *words)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.engine.run('podman', 'rm', '-f', '-t', '0', self.id)

    def output(self):
        """What it has written: (stdout, stderr)."""
        run = self.engine.run('podman', 'logs', self.id)
        return run.stdout, run.stderr

    def wait_for(self, pattern: str) -> re.Match:
        """In its error log."""
        end = time.monotonic() + PATIENCE
        while True:
            ended = not self.is_running()
            log = self.output()[1]
            found = re.search(pattern, log, re.M)
            if found:
                return found
            if ended or time.monotonic() > end:
                why = 'it has ended' if ended else f'{PATIENCE} s have passed'
                raise TimeoutError(f'no /{pattern}/ in the log, and {why}:\n{log}')
            time.sleep(0.05)

    def is_running(self) -> bool:
        return self.engine.podman('inspect', '-f', '{{.State.Running}}', self.id) == 'true'

    def address(self) -> tuple:
        """Where it serves; waits until it does."""
        found = self.wait_for(r' serves \S+ at http://([\d.]+):(\d+)')
        return found[1], int(found[2])

    def kill(self, signal: str):
        self.engine.podman('kill', '-s', signal, self.id)

    def execute(self, *words):
        return self.engine.run('podman', 'exec', self.id, *words)

    def status(self) -> int:
        """Its exit status; waits for the end."""
        return int(self.engine.podman('wait', self.id))


def serve():
    for line in sys.stdin:
        run = subprocess.run(json.loads(line), text=True, errors='replace', capture_output=True,
                             stdin=subprocess.DEVNULL)
        print(json.dumps([run.returncode, run.stdout, run.stderr]), flush=True)


if __name__ == '__main__':
    serve()
