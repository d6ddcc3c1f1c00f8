"""Load torch's forward mode: its first use loads TorchScript, which torch itself calls deprecated.

So no answer meets the warning.
"""

import warnings

import torch
from torch.func import jvp

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    jvp(torch.sin, (torch.zeros(()),), (torch.ones(()),))
