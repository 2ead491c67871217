"""The end of a server's process, as the operating system shows it."""

import subprocess
import sys
from pathlib import Path

from scripts.torchserve.config import ServerConfig
from scripts.torchserve.process import TorchServeProcess

# Its main thread ends at SIGTERM; another one ends the process a second later.
OUTLIVED = """
import ctypes, os, signal, threading, time

asked = threading.Event()

def outlive():
    asked.wait()
    time.sleep(1)
    os._exit(0)

def end_alone(*_):
    asked.set()
    ctypes.CDLL(None).pthread_exit(None)

threading.Thread(target=outlive).start()
signal.signal(signal.SIGTERM, end_alone)
print("up", flush=True)
signal.pause()
"""


def test_a_server_has_ended_when_its_last_thread_has(tmp_path: Path) -> None:
    config = ServerConfig.of(10_000, tmp_path)
    config.temporary.mkdir(parents=True)
    command = [sys.executable, "-c", OUTLIVED, str(config.properties_file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout
        server.stdout.readline()
        (config.temporary / ".model_server.pid").write_text(str(server.pid))

        assert TorchServeProcess(config).stop() is True

        assert server.poll() is not None
