"""Coefficients of kymatio 0.3.0 for an image of numbers, which ScatteringTests compares with: scattering.json."""
import json
import pathlib

import numpy as np
from kymatio.scattering2d.frontend.numpy_frontend import ScatteringNumPy2D as Scattering2D

height, width = 28, 20
y, x = np.mgrid[0:height, 0:width]
image = (np.sin(0.37 * x * y) + 0.01 * x + (y > 9)).astype(np.float32)
result = Scattering2D(J=2, shape=(height, width), L=8)(image)
target = pathlib.Path(__file__).with_name("scattering.json")
target.write_text(
    json.dumps({"shape": list(result.shape), "values": [float(f"{v:.6g}") for v in result.ravel()]}) + "\n")
