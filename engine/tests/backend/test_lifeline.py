import subprocess
import sys

from serving import ended

from inferno_engine import bundle

CHILD = "from inferno_backend.lifeline import end_with_parent as e; e(); e(); print('up', flush=True); input()"
PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
child.wait()
"""

STUB = "import os; from inferno_backend.lifeline import be_watched; be_watched(); "
# Stands for a supervisor, to whom fall those whose parents have ended, and starts a server with a stub.
SUPERVISOR = """
import ctypes, os, subprocess, sys
PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
server = subprocess.Popen([sys.executable, "-c", sys.argv[1], sys.argv[2]])
while True:
    try:
        os.wait()
    except ChildProcessError:
        break
print("all are gone", flush=True)
"""
SERVER_OF_ONE_THAT_FAILS = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
SERVER_THAT_DIES = """
import os, subprocess, sys
stub = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE)
stub.stdout.readline()
os._exit(1)
"""


def supervise(server: str, stub: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SUPERVISOR, server, stub],
        capture_output=True,
        text=True,
        timeout=30,
        env={"PYTHONPATH": str(bundle.SOURCE / "vllm")},
    )


def test_the_watcher_of_a_stub_that_died_early_ends_and_kills_nobody():
    ran = supervise(SERVER_OF_ONE_THAT_FAILS, STUB + "os._exit(1)")
    assert (ran.returncode, ran.stdout) == (0, "all are gone\n"), ran.stderr


def test_a_stub_ends_with_its_killed_server():
    ran = supervise(SERVER_THAT_DIES, STUB + "print('up', flush=True); __import__('threading').Event().wait()")
    assert (ran.returncode, ran.stdout) == (0, "all are gone\n"), ran.stderr


def test_a_process_ends_with_its_killed_parent():
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(bundle.SOURCE / "vllm")},
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    assert ended([child], 5)


# Ends while its child, which has told its number, has yet to look for its parent.
SPAWNER = """
import multiprocessing, os

def look(pipe, over):
    pipe.send(os.getpid())
    os.read(over, 1)
    from inferno_backend.lifeline import end_with_parent
    end_with_parent()
    __import__("threading").Event().wait()

mine, its = multiprocessing.Pipe()
over, held = os.pipe()
context = multiprocessing.get_context("fork")
child = context.Process(target=lambda: (os.close(held), look(its, over)))
child.start()
print(mine.recv(), flush=True)
os._exit(1)
"""


def test_a_process_ends_whose_parent_was_killed_before_it_looked():
    parent = subprocess.run(
        [sys.executable, "-c", SPAWNER],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=30,
        env={"PYTHONPATH": str(bundle.SOURCE / "vllm")},
    )
    assert ended([int(parent.stdout)], 5)
