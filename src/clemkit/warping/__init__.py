"""Warp images onto another grid: plan (pure), execute (threads), kernels (compiled)."""

from clemkit.warping.array import warp_array
from clemkit.warping.execute import WarpReport
from clemkit.warping.plan import WarpPlan, plan_warp
from clemkit.warping.store import plan_volume, warp_volume

__all__ = ["WarpPlan", "WarpReport", "plan_volume", "plan_warp", "warp_array", "warp_volume"]
