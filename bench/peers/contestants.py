"""Runs this program and the processes of the peers, and measures them in turns."""

import dataclasses
import json
import os
import pathlib
import select
import shlex
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
TIMEOUT_S = 1800


class Failed(Exception):
    """A contestant that cannot take part: its row says why."""


def environment(threads):
    own = {name: value for name, value in os.environ.items() if not name.startswith("ROFORMER_")}
    if "ROFORMER_SIMD" in os.environ:
        own["ROFORMER_SIMD"] = os.environ["ROFORMER_SIMD"]
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
    settings = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true", "TORCH_LOGS": "-all"}
    return own | {name: str(threads) for name in names} | settings


class Worker:
    """A peer's process (worker.py). Its standard error goes to a file in `logs`."""

    def __init__(self, logs, name, threads, **options):
        self.name = name
        self.log = logs / (name.replace(" ", "_") + ".log")
        command = [sys.executable, str(HERE / "worker.py"), "--threads", str(threads)]
        for option, value in options.items():
            command += [f"--{option}", str(value)]
        with self.log.open("w") as log:
            log.write(shlex.join(command) + "\n")
            log.flush()
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment(threads)
            )
        self.answer()

    def answer(self):
        ready, _, _ = select.select([self.process.stdout], [], [], TIMEOUT_S)
        line = self.process.stdout.readline() if ready else b""
        if line:
            return json.loads(line)
        self.process.kill()
        self.process.wait()
        last = [text for text in self.log.read_text(errors="replace").splitlines() if text.strip()][-1]
        raise Failed(f"{'ended' if ready else f'no answer within {TIMEOUT_S} s'}: {last[:200]} ({self.log})")

    def ask(self, do, **arguments):
        try:
            self.process.stdin.write(json.dumps({"do": do} | arguments).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # the answer says why
        return self.answer()

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Workers:
    """The peers that are loaded now, by what they are; each is started when it is first asked."""

    def __init__(self, logs, threads):
        self.logs, self.threads, self.running = logs, threads, {}

    def get(self, role, engine=None, model=None, dtype=None, threads=None):
        threads = threads or self.threads
        key = (role, engine, model, dtype, threads)
        if key not in self.running:
            options = {"role": role, "engine": engine, "model": model, "dtype": dtype}
            options = {name: value for name, value in options.items() if value is not None}
            name = " ".join(str(getattr(word, "name", word)) for word in (*options.values(), threads))
            self.running[key] = Worker(self.logs, name, threads, **options)
        return self.running[key]

    def close(self):
        for worker in self.running.values():
            worker.close()
        self.running.clear()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Program:
    """This program."""

    def __init__(self, path, threads):
        self.path, self.threads = str(path), threads

    def run(self, *arguments, threads=None, stdout=subprocess.PIPE):
        """Standard output; Failed with the program's own message. threads 0: no such option."""
        command = self.command(arguments, threads)
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=subprocess.PIPE,
                text=True,
                timeout=TIMEOUT_S,
                env=environment(threads or self.threads),
            )
        except subprocess.TimeoutExpired:
            raise Failed(f"no end within {TIMEOUT_S} s: {shlex.join(command)}") from None
        if done.returncode != 0:
            raise Failed((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
        return done.stdout

    def command(self, arguments, threads=None):
        command = [self.path, *map(str, arguments)]
        return command if threads == 0 else [*command, "--threads", str(threads or self.threads)]

    def measured(self, *arguments):
        """Seconds from start to end of a process, and its peak memory in bytes."""
        with tempfile.TemporaryFile("w+") as errors:
            begin = time.perf_counter()
            process = subprocess.Popen(
                self.command(arguments),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=environment(self.threads),
            )
            limit = threading.Timer(TIMEOUT_S, process.kill)
            limit.start()
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - begin
            limit.cancel()
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                errors.seek(0)
                raise Failed((errors.read().strip().splitlines() or [f"exit code {process.returncode}"])[-1])
        return seconds, usage.ru_maxrss * 1024

    def discard(self, *arguments, threads=None):
        self.run(*arguments, threads=threads, stdout=subprocess.DEVNULL)

    def json(self, *arguments, threads=None):
        return [json.loads(line) for line in self.run(*arguments, "--json", threads=threads).splitlines()]


@dataclasses.dataclass
class Actor:
    """Somebody who takes a turn in each round. measure() gives {row: {contestant: value}}."""

    name: str
    measure: object
    failure: str = ""


def take_turns(actors, rounds, say):
    """{row: {contestant: [value of each round]}}; an actor that fails takes no further turn and says why.

    Each round begins with another actor, so that a machine that slows down slows all of them.
    """
    rows = {}
    for turn in range(rounds):
        first = turn % len(actors)
        for actor in actors[first:] + actors[:first]:
            if actor.failure:
                continue
            begin = time.perf_counter()
            try:
                measured = actor.measure()
            except Failed as reason:
                actor.failure = str(reason)
                say(f"  {actor.name}: {reason}")
                continue
            for row, values in measured.items():
                for contestant, value in values.items():
                    rows.setdefault(row, {}).setdefault(contestant, []).append(value)
            shown = ", ".join(f"{value:,.4g}" for values in measured.values() for value in values.values())
            say(f"  round {turn + 1}/{rounds} {actor.name}: {shown} ({time.perf_counter() - begin:.1f} s)")
    return rows
