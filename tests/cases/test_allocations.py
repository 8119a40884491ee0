"""One process in an allocation of a cluster is one process (case 14 and its kind)."""

import numpy as np
import pytest
from PIL import Image

from zoo_core.cli import run

SLURM = {
    "SLURM_JOB_ID": "1",
    "SLURM_NTASKS": "4",
    "SLURM_JOB_NAME": "train",
    "SLURM_PROCID": "0",
    "SLURM_LOCALID": "0",
    "SLURM_NODEID": "0",
    "SLURM_NODELIST": "n1",
}
"""What a shell within ``salloc -n 4`` has."""
ALLOCATIONS = {
    "slurm": SLURM,
    "slurm-third-task": SLURM | {"SLURM_PROCID": "2", "SLURM_LOCALID": "2"},
    "slurm-many-nodes": SLURM | {"SLURM_NNODES": "4", "SLURM_NODELIST": "n[1-4]"},
    "slurm-interactive": SLURM | {"SLURM_JOB_NAME": "interactive"},
    "lsf": {"LSB_JOBID": "1", "LSB_DJOB_RANKFILE": "absent", "JSM_NAMESPACE_LOCAL_RANK": "0",
            "JSM_NAMESPACE_SIZE": "4", "JSM_NAMESPACE_RANK": "0", "LSB_HOSTS": "n0 n1"},
    "kubernetes": {"KUBERNETES_PORT": "tcp://x", "MASTER_ADDR": "n0", "MASTER_PORT": "29500",
                   "WORLD_SIZE": "4", "RANK": "0"},
}  # fmt: skip


@pytest.mark.parametrize("allocation", ALLOCATIONS)
def test_case_14_one_process_trains_alone(allocation, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, value in ALLOCATIONS[allocation].items():
        monkeypatch.setenv(name, value)
    rng = np.random.default_rng(0)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for number in range(10):
            pixels = rng.integers(0, 255, (40, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{number}.png")
    small = ["--set", "width=4", "--set", "blocks=1", "--set", "critic_width=4"]
    domains = ["--domain", "a=a", "--domain", "b=b", "--precision", "float32", "--out", "run"]
    command = ["train", "cyclegan", "--preset", "32px", "--steps", "2", "--batch", "2"]
    assert run([*command, *small, *domains]) == 0
    assert (tmp_path / "run" / "model" / "model.safetensors").is_file()
