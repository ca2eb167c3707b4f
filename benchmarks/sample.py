"""Fine-tunes the sample as the page would and prints what came of it: python benchmarks/sample.py [--base MODEL].

The figures of a README come from here: machine, versions, seconds, base against tuned on rows that no training saw.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

SAMPLE = Path(__file__).resolve().parent.parent / "assets" / "samples" / "banking77.csv"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="all-MiniLM-L6-v2", help="base model")
    base = parser.parse_args().base
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "studio", "train", "--data", str(SAMPLE), "--base", base]
        done = subprocess.run([*command, "--out", f"{folder}/run", "--json"], stdout=subprocess.PIPE, check=False)
    if done.returncode:
        return done.returncode
    result = json.loads(done.stdout)

    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {torch.get_num_threads()} threads"
    packages = ("torch", "transformers", "sentence-transformers")
    print(f"machine   {_processor()}, {os.cpu_count()} cores, {device}; Python {platform.python_version()}")
    print("versions  " + ", ".join(f"{name} {version(name)}" for name in packages))
    print(f"run       {base}, {result['loss']}, {result['train_rows']} rows, {result['heldout_rows']} held out")
    print(f"time      {result['seconds']:.0f} s from start to verdict")
    for metric in result["metrics"]:
        interval = f"{metric['low']:+.3f} to {metric['high']:+.3f}"
        print(f"{metric['id']:<11}base {metric['base']:.3f}, tuned {metric['tuned']:.3f}, difference {interval}")
    print(result["verdict"])
    return 0


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    sys.exit(main())
