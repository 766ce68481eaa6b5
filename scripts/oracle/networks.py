"""Makes torchvision's networks as test/fixtures/networks/networks.json lists them; shared by the oracle's scripts."""
import json
import pathlib

import torch
import torchvision

FIXTURES = pathlib.Path(__file__).parents[2] / "test" / "fixtures" / "networks"


def listed():
    return json.loads((FIXTURES / "networks.json").read_text())


def make(entry):
    """The network in evaluation mode: no dropout, batch normalization with frozen statistics, no auxiliary heads."""
    options = {}
    if entry["model"] in ("googlenet", "inception_v3"):
        options = {"init_weights": False, "transform_input": False}
    if entry.get("fixedSize"):
        options["image_size"] = entry["size"]
    make_model = getattr(torchvision.models, entry["model"])
    return make_model(weights=None, **options).eval()
