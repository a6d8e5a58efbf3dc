"""Homes with gas, meters, detectors and their radio, as the broker sees them. Speaks only the device contract."""
