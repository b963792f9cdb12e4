"""What the comparison runs in: virtual environments, Lumbar's runner, exported models. Everything
lies under build/peers (the runner under build/native); what is there already is not made again.
"""

import hashlib
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / "build" / "peers"
MODELS = BUILD / "models"
LOGS = BUILD / "logs"

# For export.py; see tests/goldens/make_goldens.py. Without what they depend on: a newer torch.
EXPORT_LONE = (
    "timm==1.0.9", "huggingface_hub<0.26", "safetensors", "pyyaml", "filelock", "fsspec", "tqdm",
    "packaging", "requests", "typing_extensions", "urllib3", "idna", "certifi",
    "charset_normalizer", "pretrainedmodels", "munch", "six",
)


class Failure(Exception):
    """One line for the user."""


def call(log, *command):
    """Runs a command; its output goes to a log. The last line is the error where it fails."""
    LOGS.mkdir(parents=True, exist_ok=True)
    path = LOGS / f"{log}.log"
    with open(path, "w") as file:
        done = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, cwd=ROOT)
    if done.returncode != 0:
        lines = [line for line in path.read_text(errors="replace").splitlines() if line.strip()]
        last = lines[-1].strip() if lines else "no output"
        raise Failure(f"{log}: {last} (all of it: {path.relative_to(ROOT)})")


def python(environment):
    return BUILD / environment / "bin" / "python"


def make_environment(name, *options):
    """A virtual environment of the interpreter that runs this."""
    if not python(name).exists():
        call(f"venv-{name}", sys.executable, "-m", "venv", *options, str(BUILD / name))


def install(environment, stamp, packages, lone_packages):
    """Installs packages, the second ones without their dependencies, once."""
    done = BUILD / environment / f"{stamp}.installed"
    wanted = " ".join((*packages, *lone_packages))
    if done.exists() and done.read_text() == wanted:
        return
    pip = (str(python(environment)), "-m", "pip", "install", "--disable-pip-version-check")
    if packages:
        call(f"pip-{stamp}", *pip, *packages)
    if lone_packages:
        call(f"pip-{stamp}-alone", *pip, "--no-deps", *lone_packages)
    done.write_text(wanted)


def set_up_exporter():
    """The environment with PyTorch, which makes the models and is one of the peers."""
    make_environment("torch", "--system-site-packages")
    probe = subprocess.run([python("torch"), "-c", "import torch, torchvision"],
                           capture_output=True)
    if probe.returncode != 0:
        raise Failure("no PyTorch: python3-torch and python3-torchvision are not installed")
    install("torch", "export", (), EXPORT_LONE)


def set_up_peer(name, peer):
    if peer.environment == "torch":
        return
    make_environment(peer.environment)
    install(peer.environment, name, peer.packages, peer.lone_packages)


def build_runner():
    """Builds Lumbar's runner for this machine."""
    call("cmake-configure", "cmake", "--preset", "native")
    call("cmake-build", "cmake", "--build", "--preset", "native", "--target",
         "bench_lumbar_runner")
    return ROOT / "build" / "native" / "benchmarks" / "lumbar_runner"


def digest(*parts):
    """A name for the contents of files and for texts."""
    state = hashlib.sha256()
    for part in parts:
        state.update(part.read_bytes() if isinstance(part, pathlib.Path) else part.encode())
    return state.hexdigest()


class Stamp:
    """Whether something was made from these inputs before."""

    def __init__(self, path, *parts):
        self.path, self.value = path, digest(*parts)

    def current(self):
        return self.path.exists() and self.path.read_text() == self.value

    def set(self):
        self.path.write_text(self.value)


def export_stamp(name):
    goldens = ROOT / "tests" / "goldens"
    return Stamp(MODELS / f"{name}.exported", HERE / "export.py", goldens / "make_goldens.py",
                 goldens / "synthetic.py")


def export_model(name, size):
    """Writes the model's files; see export.py."""
    MODELS.mkdir(parents=True, exist_ok=True)
    stamp = export_stamp(name)
    if not stamp.current():
        call(f"export-{name}", str(python("torch")), str(HERE / "export.py"), str(MODELS), name,
             str(size))
        stamp.set()


def worker_environment():
    """OpenMP's and the like as the runtimes have them by default."""
    unwanted = ("OMP_", "KMP_", "GOMP_", "MKL_", "OPENBLAS_", "PYTHON")
    return {key: value for key, value in os.environ.items() if not key.startswith(unwanted)}
