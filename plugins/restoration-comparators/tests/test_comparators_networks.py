"""The networks of the literature: each keeps the contract, and its tensors have the published names."""

from __future__ import annotations

from restoration.testing import NetworkContract


class TestPReNet(NetworkContract):
    name, options = "prenet", {"width": 4, "passes": 2}


class TestAODNet(NetworkContract):
    name = "aod-net"


class TestFFDNet(NetworkContract):
    name, options = "ffdnet", {"width": 8, "depth": 3}


class TestGreyFFDNet(NetworkContract):
    name, options = "ffdnet", {"width": 8, "depth": 3, "each_channel": True}


class TestEDSR(NetworkContract):
    name, options = "edsr", {"width": 8, "blocks": 2, "scale": 3}


class TestCARNM(NetworkContract):
    name, options = "carn", {"width": 8}


class TestCARN(NetworkContract):
    name, options = "carn", {"width": 8, "groups": 1, "scales": [2, 4]}


class TestRFDN(NetworkContract):
    name, options = "rfdn", {"blocks": 2}


class TestSAFMN(NetworkContract):
    name, options = "safmn-ntire", {"width": 8, "blocks": 2, "scale": 2}


class TestDeblurGAN(NetworkContract):
    name, options = "deblurgan", {"width": 4, "blocks": 2}


class TestDeepDeblur(NetworkContract):
    name, options = "deepdeblur", {"width": 4, "blocks": 2, "kernel": 3, "scales": 2}


class TestDBGAN(NetworkContract):
    name, options = "dbgan", {"width": 4, "blocks": 2}
