"""What a scenario showed: the clocks of every incident, and each invariant that could be observed held or broken."""

from simulator.report.page import Report

__all__ = ["Report"]
