"""A gate: `cosine` opens slowly at first and at the end, where the paper's positive linear gate is a straight line."""

import math

from colgan_search.gates import Gate, Pen

COSINE = Gate(
    "cosine",
    "cos",
    lambda progress: (1.0 - math.cos(math.pi * progress)) / 2,
    "more and more, gently",
    Pen("cosine (0 to 1)", "#7b3fa0", (6.0, 1.5, 1.5, 1.5), 2.0),
)
